"""What must hold before anything of an earlier call is replaced."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2

from wsl_plugins.checkpoints.packaged import packaged_file
from wsl_plugins.datasets.prepare.bases import LITE0, OWN_BASE
from wsl_plugins.datasets.prepare.choices import least_side
from wsl_plugins.datasets.prepare.plan import Plan
from wsl_plugins.datasets.prepare.source import LabelledImage
from wsl_plugins.files.images import read_pixels
from wsl_plugins.proposals.generate import check_made
from wsl_plugins.proposals.recipe import Recipe, propose


def paths_of(images: dict[str, LabelledImage]) -> dict[str, Path]:
    """Name without suffix, as proposals are found by, to the file."""
    return {Path(name).stem: image.path for name, image in images.items()}


def recipe_for(plan: Plan, known: Sequence[LabelledImage]) -> Recipe:
    """How proposals are made; small objects of ``known``, images with boxes, need small ones."""
    least = least_side(known, plan.recipe.min_side)
    return replace(plan.recipe, max_side_input=plan.max_side_input, min_side=least)


def check_kept(named: dict[str, dict[str, LabelledImage]], recipe: Recipe, plan: Plan) -> None:
    """Raise ValueError if there are proposals that are not of these images and this recipe."""
    for split, images in named.items():
        try:
            if not plan.force:
                check_made(paths_of(images), recipe, plan.out / f'proposals_{split}.npz')
        except (ValueError, FileNotFoundError) as error:
            raise ValueError(
                f'{plan.out} has proposals of other images or settings: choose another folder or '
                f'use --force, which makes them again ({error})'
            ) from error


def check_proposals(images: list[LabelledImage], recipe: Recipe) -> None:
    """Raise ValueError if no image has a proposal; looks at them up to the first that has one."""
    proposer = recipe.proposer()
    for image in images:
        try:
            pixels = read_pixels(image.path)
            if pixels is None:
                return  # named later, as the other
            found, _ = propose(pixels, proposer, recipe.min_side, recipe.max_side_input)
        except cv2.error:
            return
        if len(found):
            return
    raise ValueError(no_proposals(images))


def no_proposals(images: list[LabelledImage]) -> str:
    """The message where no training image has a proposal."""
    return (
        f'none of {len(images)} training images has a proposal, a detector has nothing to learn '
        'from: use larger images or such with something to see, or --task localizer'
    )


def weights_file(weights: str) -> str:
    """The name or address as it is, the path absolute, or 'none'."""
    if weights == LITE0:
        packaged_file(weights)  # is installed
    if weights in OWN_BASE or '://' in weights:
        return weights
    if not Path(weights).is_file():
        raise FileNotFoundError(f'{weights}: no such file of weights')
    return str(Path(weights).absolute())
