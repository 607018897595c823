"""Which views of an image a pipeline gives: at which scale, flipped how."""

from typing import Any, NamedTuple, TypeVar, cast

import numpy as np

from wsl_plugins.datasets.transforms.loading import LoadWSODProposals
from wsl_plugins.datasets.transforms.wrappers import TransformWithProposals

from mmcv.transforms import Compose, LoadImageFromFile, RandomChoiceResize, RandomFlip, Resize
from mmcv.transforms import TestTimeAug as Views
from mmdet.datasets.transforms import ProposalBroadcaster

Step = TypeVar('Step')
KNOWN = 'Resize, RandomChoiceResize and RandomFlip, in this order'
MOVING = (TransformWithProposals, ProposalBroadcaster)


class View(NamedTuple):
    """One look at an image.

    Attributes:
        scale: width and height of mmcv's ``Resize``.
        keep_ratio: whether the image keeps its shape in it.
        flip: ``'horizontal'``, ``'vertical'``, ``'diagonal'`` or None.
    """

    scale: tuple[int, int]
    keep_ratio: bool
    flip: str | None

    def __str__(self) -> str:
        fill = '' if self.keep_ratio else '-filled'
        return f'{self.scale[0]}x{self.scale[1]}{fill}' + (f'-{self.flip}' if self.flip else '')


class Route:
    """Transforms from an image file to a packed sample, of which the pixels are left out.

    Args:
        steps: transforms in order: ``LoadImageFromFile``, ``LoadWSODProposals``,
            ``TransformWithProposals`` (or mmdet's ``ProposalBroadcaster``) of resizing and
            flipping, and any that need no pixels.
        where: what messages call the pipeline.

    Attributes:
        image: the step that reads the image.
        load: the step that chooses among the proposals, which features need and maps do not.
        rest: steps that neither read, choose nor move.
        steps: all but ``image``.
        moves: places of those that move, in ``steps``.

    Raises:
        ValueError: the steps are others.
    """

    def __init__(self, steps: list, where: str) -> None:
        self.where = where
        image: LoadImageFromFile | None = None
        self._load: LoadWSODProposals | None = None
        self.resize: Resize | RandomChoiceResize | None = None
        self.flip: RandomFlip | None = None
        self.rest: list = []
        self.steps = [step for step in steps if not isinstance(step, LoadImageFromFile)]
        self.moves = [n for n, step in enumerate(self.steps) if isinstance(step, MOVING)]
        for step in steps:
            if isinstance(step, LoadImageFromFile):
                image = step
            elif isinstance(step, LoadWSODProposals):
                self._load = step
            elif isinstance(step, MOVING):
                self._take_moves(step)
            else:
                self.rest.append(step)
        self.image = self._needed(image, 'LoadImageFromFile')
        self._needed(self.resize, 'wsl_plugins.TransformWithProposals with a Resize')

    @property
    def load(self) -> LoadWSODProposals:
        return self._needed(self._load, 'wsl_plugins.LoadWSODProposals')

    def _needed(self, step: Step | None, name: str) -> Step:
        if step is None:
            raise ValueError(f'{self.where}: features are cached of pipelines with {name}')
        return step

    def _take_moves(self, step: TransformWithProposals | ProposalBroadcaster) -> None:
        inner = step.transforms if isinstance(step, ProposalBroadcaster) else step
        for move in inner.transforms:
            kind = type(move).__name__  # subclasses move pixels in other ways
            if kind in ('Resize', 'RandomChoiceResize') and not (self.resize or self.flip):
                self.resize = move
            elif kind == 'RandomFlip' and self.flip is None:
                self.flip = move
            else:
                raise ValueError(f'{self.where}: {kind} cannot be cached; known are {KNOWN}')

    def views(self) -> list[View]:
        """All that the pipeline may give.

        Raises:
            ValueError: an image is resized by a factor, not to a size.
        """
        scales = getattr(self.resize, 'scales', None) or [self._resizer.scale]
        for scale in scales:
            if not isinstance(scale, (tuple, list)):
                raise ValueError(f'{self.where}: Resize needs a scale (width, height): {scale}')
        flips: list[str | None] = [None]
        if self.flip is not None:
            chances = self.flip.prob if isinstance(self.flip.prob, list) else [self.flip.prob]
            sure = np.isclose(sum(chances), 1)
            named = self.flip.direction
            named = [named] if isinstance(named, str) else list(named)
            flips = [None] * (not sure) + (named if sum(chances) > 0 else [])
        return [self._view(scale, flip) for scale in scales for flip in flips]

    def draw(self) -> View:
        """One of the views, as the pipeline draws it, from the same random numbers."""
        if isinstance(self.resize, RandomChoiceResize):
            scale = self.resize._random_select()[0]
        else:
            scale = self._resizer.scale
        return self._view(scale, None if self.flip is None else self.flip._choose_direction())

    def follow(self, info: dict) -> tuple[dict, View, tuple[int, int]] | None:
        """What the pipeline gives of a data info, but for pixels: a blank image is moved.

        Returns:
            The packed sample without ``inputs``, the view, and its height and width; None if a step
            asks for another image.

        Raises:
            ValueError: A step needs pixels.
        """
        size = info['height'], info['width']
        first, last = self.moves[0], self.moves[-1] + 1
        results = self._run(self.steps[:first], dict(info, img_shape=size, ori_shape=size))
        if results is not None:
            blank = np.zeros(size, np.uint8)
            results = self._run(self.steps[first:last], dict(results, img=blank))
        if results is None:
            return None
        del results['img']  # what needs pixels fails
        flip = results['flip_direction'] if results.get('flip') else None
        view, shape = self._view(results['scale'], flip), results['img_shape'][:2]
        results = self._run(self.steps[last:], results)
        return None if results is None else (results, view, shape)

    def _run(self, steps: list, results: dict | None) -> dict | None:
        for step in steps:
            try:
                results = step(results)
            except (KeyError, AssertionError) as error:
                raise ValueError(
                    f'{self.where}: {type(step).__name__} failed, perhaps for want of pixels, of '
                    f'which a cache has none: {error}'
                ) from error
            if results is None:
                break
        return results

    def settings(self, maps: bool = False) -> dict:
        """What pixels and, unless ``maps`` are all that counts, boxes depend on beside the view,
        for JSON."""
        image, resize = self.image, self._resizer
        found = dict(
            image=dict(
                color_type=image.color_type,
                imdecode_backend=image.imdecode_backend,
                to_float32=image.to_float32,
            ),
            resize=dict(
                interpolation=resize.interpolation,
                backend=resize.backend,
                clip_object_border=resize.clip_object_border,
            ),
        )
        if not maps:
            found['proposals'] = dict(min_side=self.load.min_side, max_num=self.load.max_num)
        return found

    def transforms_of(self, view: View) -> list[Any]:
        """The steps that make a view of an image, all its proposals in it."""
        resize = dict(type='mmdet.Resize', scale=view.scale, keep_ratio=view.keep_ratio)
        moves = [{**resize, **self.settings(maps=True)['resize']}]
        if view.flip:
            moves.append(dict(type='mmdet.RandomFlip', prob=1.0, direction=view.flip))
        return [self.image, LoadWSODProposals(), TransformWithProposals(moves)]

    @property
    def _resizer(self) -> Resize:
        return self.resize.resize if isinstance(self.resize, RandomChoiceResize) else self.resize

    def _view(self, scale: tuple[int, int], flip: str | None) -> View:
        size = cast(tuple[int, int], tuple(map(int, scale)))  # a config has lists, too
        return View(size, bool(self._resizer.keep_ratio), flip)


def routes_of(pipeline: Compose, where: str) -> list[Route]:
    """The route of a pipeline; of one with ``TestTimeAug`` one for each of its views.

    Args:
        pipeline: built.
        where: what messages call it.

    Raises:
        ValueError: its steps cannot be cached (:class:`Route`).
    """
    steps: list = list(pipeline.transforms)
    if not steps or not isinstance(steps[-1], Views):
        return [Route(steps, where)]
    return [Route(steps[:-1] + list(part.transforms), where) for part in steps[-1].subroutines]
