"""WSDDN against loops written from the equations."""

import math

import pytest
import torch

from wsl_plugins.models.losses import image_bce
from wsl_plugins.models.mil_heads import WSDDNHead, image_scores, wsddn_scores


def slow_scores(f, g, counts):
    """Equations 2-3 of Li et al., ICCV 2019, one number at a time."""
    rows, start = [], 0
    for count in counts:
        for r in range(start, start + count):
            row = []
            for c in range(len(f[r])):
                over_classes = math.exp(f[r][c]) / sum(math.exp(v) for v in f[r])
                over_regions = math.exp(g[r][c]) / sum(
                    math.exp(g[q][c]) for q in range(start, start + count)
                )
                row.append(over_classes * over_regions)
            rows.append(row)
        start += count
    return torch.tensor(rows)


def test_scores_equal_the_loop():
    generator = torch.Generator().manual_seed(0)
    f, g = (torch.randn(9, 4, generator=generator) * 3 for _ in range(2))
    for counts in ([9], [1, 8], [4, 0, 5]):
        expected = slow_scores(f.tolist(), g.tolist(), counts)
        torch.testing.assert_close(wsddn_scores(f, g, counts), expected, rtol=1e-5, atol=1e-7)


def test_counts_must_sum_to_the_rows():
    with pytest.raises(ValueError, match='do not sum to the 5 rows'):
        wsddn_scores(torch.zeros(5, 2), torch.zeros(5, 2), [2, 2])


@pytest.mark.parametrize('reduction', ['sum', 'mean'])
@pytest.mark.parametrize('positive_only', [False, True])
def test_image_bce_by_hand(reduction, positive_only):
    phi, y = torch.tensor([[0.9, 0.2, 0.4]]), torch.tensor([[1, 0, 1]])
    terms = [-math.log(0.9), 0 if positive_only else -math.log(0.8), -math.log(0.4)]
    expected = sum(terms) / (3 if reduction == 'mean' else 1)
    assert image_bce(phi, y, reduction, positive_only).item() == pytest.approx(expected, rel=1e-6)


def test_image_bce_is_finite_at_zero_and_one():
    phi = torch.tensor([[0.0, 1.0 + 1e-6, 1.0]], requires_grad=True)
    loss = image_bce(phi, torch.tensor([[1, 0, 1]]))
    loss.sum().backward()
    assert loss.item() == pytest.approx(-math.log(1e-6) - math.log(17 * 2**-24), rel=1e-5)
    assert phi.grad.isfinite().all()


def test_image_bce_bad_input():
    with pytest.raises(ValueError, match="'sum' or 'mean', got 'none'"):
        image_bce(torch.rand(1, 2), torch.ones(1, 2), reduction='none')
    with pytest.raises(ValueError, match='differ in shape'):
        image_bce(torch.rand(1, 2), torch.ones(1, 3))
    with pytest.raises(FloatingPointError, match='image scores are not finite'):
        image_bce(torch.tensor([[0.5, float('nan')]]), torch.ones(1, 2))


def test_loss_is_the_mean_over_images_and_skips_empty_bags():
    head = WSDDNHead(6, 3)
    feats = torch.randn(7, 6, generator=torch.Generator().manual_seed(1))
    y = torch.tensor([[1, 0, 1], [0, 1, 1], [0, 1, 0]])
    for first in (3, 6):
        counts = [first, 0, 7 - first]
        scores = head(feats, counts)
        phi = torch.stack([scores[:first].sum(0), scores[first:].sum(0)])
        expected = image_bce(phi, y[[0, 2]]).sum() / 3
        torch.testing.assert_close(head.loss(scores, y, counts), expected)


def test_background_column_has_target_zero():
    head = WSDDNHead(6, 3, with_background=True)
    scores = head(torch.randn(4, 6), [4])
    assert scores.shape == (4, 4)
    phi = image_scores(scores, [4])[0]
    expected = -(phi[0].log() + (1 - phi[1:]).log().sum())
    torch.testing.assert_close(
        head.loss(scores, torch.tensor([[1, 0, 0]]), [4]), expected, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_logits_give_float32_scores(dtype):
    f = torch.tensor([[60.0, -60.0], [0.0, 0.0]], dtype=dtype, requires_grad=True)
    scores = wsddn_scores(f, f, [2])
    assert scores.dtype == torch.float32
    rough = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)).to(dtype)
    exact = wsddn_scores(rough.float(), rough.float(), [5])
    torch.testing.assert_close(wsddn_scores(rough, rough, [5]), exact, rtol=1e-6, atol=0)
    image_bce(image_scores(scores, [2]), torch.tensor([[1, 1]])).sum().backward()
    assert f.grad.isfinite().all()
    phi = torch.tensor([[0.75, 0.125]], dtype=dtype)
    with torch.autocast('cpu', dtype):  # which refuses this loss
        loss = image_bce(phi, torch.tensor([[1, 0]]))
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, -torch.tensor([0.75 * 0.875]).log())


@pytest.mark.parametrize(
    'options',
    [dict(), dict(reduction='mean'), dict(positive_only=True), dict(eps=0.25)],
)
def test_options_of_the_loss(options):
    head, y = WSDDNHead(6, 3, **options), torch.tensor([[1, 0, 1]])
    scores = torch.tensor([[0.0, 0.2, 0.1], [0.0, 0.3, 0.3]])
    expected = image_bce(scores.sum(0)[None], y, **options)[0]
    torch.testing.assert_close(head.loss(scores, y, [2]), expected)
    others = [dict(), dict(reduction='mean'), dict(positive_only=True), dict(eps=0.25)]
    values = {image_bce(scores.sum(0)[None], y, **other).item() for other in others}
    assert len(values) == 4


def test_weights_at_the_start():
    torch.manual_seed(0)
    head = WSDDNHead(1000, 20)
    head.init_weights()
    for layer in (head.fc_cls, head.fc_det):
        assert layer.weight.std().item() == pytest.approx(0.01, rel=0.05)
        assert not layer.bias.any()
    head = WSDDNHead(1000, 20, init_cfg=dict(type='Constant', layer='Linear', val=2.0))
    head.init_weights()
    assert (head.fc_cls.weight == 2).all() and (head.fc_det.weight == 2).all()
