"""Which tests must notice a change of which file: the quick ones first."""

_MODELS, _METRICS = 'wsl_plugins/models', 'wsl_plugins/evaluation/functional'
_TRANSFORMS = 'wsl_plugins/datasets/transforms'
_LABELS, _BOXES = f'{_MODELS}/pseudo_labels', 'wsl_plugins/pseudo_boxes'

TARGETS = {
    f'{_LABELS}/base.py': 'test_models/test_pseudo_labels test_models/test_mist_sampler '
    'test_models/test_pcl_sampler test_properties/test_samplers',
    f'{_LABELS}/oicr_sampler.py': 'test_models/test_pseudo_labels test_properties/test_samplers',
    f'{_LABELS}/mist_sampler.py': 'test_models/test_mist_sampler test_properties/test_samplers',
    f'{_LABELS}/pcl_sampler.py': 'test_models/test_pcl_sampler test_properties/test_samplers',
    f'{_MODELS}/losses/image_bce.py': 'test_models/test_wsddn_head',
    f'{_MODELS}/losses/weighted_entropy.py': 'test_models/test_weighted_entropy',
    f'{_MODELS}/losses/entropy_regularized.py': 'test_models/test_entropy_wrapper',
    f'{_MODELS}/mil_heads/wsddn_head.py': 'test_models/test_wsddn_head',
    f'{_MODELS}/mil_heads/refinement_head.py': 'test_models/test_refinement_head '
    'test_models/test_pseudo_labels',
    f'{_MODELS}/mil_heads/pcl_head.py': 'test_models/test_pcl_head',
    f'{_MODELS}/seg_heads/seg_losses.py': 'test_models/test_seg_losses',
    f'{_MODELS}/seg_heads/segmentation_prior.py': 'test_models/test_seg_prior',
    f'{_MODELS}/seg_heads/component_iou.py': 'test_models/test_seg_prior',
    f'{_MODELS}/seg_heads/heat_map.py': 'test_models/test_seg_heat_map',
    f'{_METRICS}/box_accuracy.py': 'test_evaluation/test_max_box_acc test_properties/test_metrics',
    f'{_METRICS}/pixel_ap.py': 'test_evaluation/test_pixel_ap test_properties/test_metrics',
    'wsl_plugins/structures/box_iou.py': (
        'test_evaluation/test_loc_accuracy test_evaluation/test_error_modes '
        'test_properties/test_metrics'
    ),
    f'{_METRICS}/corloc.py': 'test_evaluation/test_corloc test_properties/test_metrics',
    f'{_METRICS}/error_modes.py': 'test_evaluation/test_error_modes test_properties/test_metrics',
    f'{_METRICS}/repeated_recall.py': 'test_evaluation/test_repeated_recall',
    f'{_METRICS}/loc_accuracy.py': 'test_evaluation/test_loc_accuracy test_properties/test_metrics',
    f'{_METRICS}/det_loc.py': 'test_evaluation/test_det_loc test_properties/test_transforms',
    f'{_METRICS}/combined_loc.py': 'test_evaluation/test_det_loc '
    'test_tools/test_combine_predictions',
    f'{_METRICS}/mean_iou.py': 'test_evaluation/test_seg_map_metric',
    f'{_METRICS}/score_maps.py': 'test_evaluation/test_score_maps test_properties/test_files',
    f'{_BOXES}/ddt.py': 'test_pseudo_boxes/test_ddt',
    f'{_BOXES}/components.py': 'test_pseudo_boxes/test_components',
    f'{_BOXES}/passes.py': 'test_pseudo_boxes/test_ddt test_pseudo_boxes/test_generate',
    f'{_BOXES}/from_score_maps.py': 'test_pseudo_boxes/test_from_score_maps',
    f'{_TRANSFORMS}/box_crops.py': 'test_datasets/test_box_crops test_properties/test_transforms',
    f'{_TRANSFORMS}/fixed_crop.py': 'test_datasets/test_box_crops test_properties/test_transforms',
    f'{_TRANSFORMS}/hide_and_seek.py': 'test_datasets/test_hide_and_seek',
    f'{_TRANSFORMS}/loading.py': 'test_datasets/test_wsod_transforms '
    'test_properties/test_transforms',
    f'{_TRANSFORMS}/wrappers.py': 'test_datasets/test_wsod_transforms '
    'test_properties/test_transforms',
    'wsl_plugins/proposals/boxes.py': 'test_proposals/test_canonicalise test_properties/test_files',
    'wsl_plugins/files/formats/proposal_arrays.py': 'test_files/test_proposal_file',
    'wsl_plugins/files/formats/proposal_file.py': (
        'test_files/test_proposal_file test_properties/test_files'
    ),
}
