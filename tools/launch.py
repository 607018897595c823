"""torchrun, for ``dist_train.sh`` and ``dist_test.sh``: after Ctrl-C the last line is that of the
command it runs, without torchrun's own traceback; the status is 130 (143 after SIGTERM)."""

import logging

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.run import main

if __name__ == '__main__':
    for name in ('agent.server.api', 'multiprocessing.api'):  # warn of each signal they pass on
        logging.getLogger(f'torch.distributed.elastic.{name}').setLevel(logging.ERROR)
    try:
        main()
    except SignalException as stopped:
        raise SystemExit(128 + stopped.sigval) from None
