"""timm's networks (huggingface.co/timm), for ``TimmBackbone`` and ``TimmSharedHead``.

The classifier is ``fc``, ``classifier``, ``head.fc`` or ``head`` there; each network has its own
normalisation of the input, which timm's ``default_cfg`` tells.
"""

from wsl_plugins.checkpoints.mapping import Layout, Rule

TIMM = Layout(
    rules=(
        *(
            Rule('', f'{part}.timm_model.')
            for part in ('backbone', 'roi_head.shared_head', 'roi_head.shared_head.0')
        ),
        Rule(r'(head\.fc|head|classifier|fc)\.(?=weight|bias)', 'head.fc.'),
    ),
    needed=r'backbone\.|roi_head\.shared_head\.',
)
