"""Settings of the property tests: the same few examples in every run.

``HYPOTHESIS_PROFILE=long pytest tests/test_properties`` draws thousands of new ones.
"""

import os

from hypothesis import HealthCheck, settings

SLOW_IS_FINE = dict(deadline=None, database=None, suppress_health_check=list(HealthCheck))
settings.register_profile('quick', derandomize=True, max_examples=60, **SLOW_IS_FINE)
settings.register_profile('long', max_examples=2000, **SLOW_IS_FINE)
settings.load_profile(os.environ.get('HYPOTHESIS_PROFILE', 'quick'))
