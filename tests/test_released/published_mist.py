"""The training loop of the published MIST code, slow, written from the description of what it does.

Boxes, pseudo labels and losses are loops over Python numbers and single boxes; SGD is by hand.
Only layers are taken from the tested model: copies of its backbone, of its linear layers and of the
network of its Concrete DropBlock.
"""

import copy
import math

import torch
from torchvision.ops import roi_pool

DECAY, MOMENTUM, WARMUP, START = 1e-4, 0.9, 200, 1 / 3
TOP, NMS, FOREGROUND, STDS = 0.15, 0.2, 0.5, (0.1, 0.1, 0.2, 0.2)
TAU, BLOCK, ASCENT = 0.3, 3, 0.01


def area(box):
    return (box[2] - box[0] + 1) * (box[3] - box[1] + 1)


def iou(one, other):
    width = min(one[2], other[2]) - max(one[0], other[0]) + 1
    height = min(one[3], other[3]) - max(one[1], other[1]) + 1
    inter = max(width, 0) * max(height, 0)
    return inter / (area(one) + area(other) - inter)


def offsets(box, goal):
    """(dx, dy, dw, dh) of ``goal`` seen from ``box``, over their standard deviations."""
    width, height = box[2] - box[0] + 1, box[3] - box[1] + 1
    goal_width, goal_height = goal[2] - goal[0] + 1, goal[3] - goal[1] + 1
    values = (
        (goal[0] + goal_width / 2 - box[0] - width / 2) / width,
        (goal[1] + goal_height / 2 - box[1] - height / 2) / height,
        math.log(goal_width / width),
        math.log(goal_height / height),
    )
    return [value / std for value, std in zip(values, STDS, strict=True)]


def pseudo_labels(boxes, scores, label):
    """Of each box: class (background: C), weight, its pseudo box; and all pseudo boxes."""
    picked = []  # (index, class)
    for column, present in enumerate(label):
        if not present:
            continue
        ranked = sorted(range(len(boxes)), key=lambda i: -scores[i][column])  # stable
        ranked = ranked[: max(1, int(TOP * len(boxes) + 1e-6))]
        for place, index in enumerate(ranked):
            if all(iou(boxes[index], boxes[other]) < NMS for other in ranked[:place]):
                picked.append((index, column))
    found = []
    for box in boxes:
        best, index, column = max(
            ((iou(box, boxes[i]), i, c) for i, c in picked), key=lambda entry: entry[0]
        )
        found.append((column if best >= FOREGROUND else len(label), scores[index][column], index))
    return found, [index for index, _ in picked]


class PublishedMIST:
    """The published detector, with the weights of ours.

    Args:
        model: ours, with ``roi_head.drop_layer`` or without.
        rate: of SGD.
        drop_rate: of the SGD of the drop layer.
        temperature: of its draws.
    """

    def __init__(self, model, rate=0.01, drop_rate=1e-4, temperature=0.01):
        head = copy.deepcopy(model.roi_head).train()
        self.backbone, self.fc = copy.deepcopy(model.backbone).train(), head.shared_head.classifier
        self.mil, self.branches = head.mil_head, head.refine_heads
        self.drop = head.drop_layer.net if head.drop_layer is not None else None
        players = [torch.nn.ModuleList([self.backbone, self.fc, self.mil, self.branches])]
        players += [self.drop] if self.drop is not None else []
        self.players = [
            {name: [p, torch.zeros_like(p)] for name, p in player.named_parameters()}
            for player in players
        ]
        self.rates, self.temperature = (rate, drop_rate), temperature
        self.steps = 0
        self.labels = []  # of each branch in the detector's passes: what pseudo_labels gives

    def parameters(self):
        """Name in our model to parameter."""
        parts = {
            'backbone': self.backbone,
            'roi_head.shared_head.classifier': self.fc,
            'roi_head.mil_head': self.mil,
            'roi_head.refine_heads': self.branches,
            'roi_head.drop_layer.net': self.drop,
        }
        return {
            f'{prefix}.{name}': parameter.detach()
            for prefix, part in parts.items()
            if part is not None
            for name, parameter in part.named_parameters()
        }

    def dropped(self, pooled):
        """Features without the blocks that the drop layer draws."""
        residual = pooled.detach()
        hidden = self.drop.residual(residual)
        p = self.drop.logit(torch.relu(residual + hidden)).sigmoid() * TAU / BLOCK**2
        noise = torch.rand_like(p)
        logit = torch.log(p / (1 - p)) + torch.log(noise / (1 - noise))
        soft = torch.sigmoid(logit / self.temperature)
        drawn = torch.round(soft).detach() + soft - soft.detach()
        rows = []
        for cells in drawn[:, 0]:
            # the first of the cells of its block that is drawn drops a cell, else its first cell
            # (whose draw is 0) does not
            height, width = cells.shape
            blocks = []
            for y in range(height):
                for x in range(width):
                    block = [
                        (cells[j, i].item(), j, i)
                        for j in range(max(y - 1, 0), min(y + 2, height))
                        for i in range(max(x - 1, 0), min(x + 2, width))
                    ]
                    _, j, i = max(block, key=lambda entry: entry[0])
                    blocks.append(cells[j, i])
            kept = 1 - torch.stack(blocks).view(height, width)
            rows.append(kept if kept.detach().any() else torch.ones_like(kept))
        mask = torch.stack(rows)[:, None]
        return pooled * mask * (mask.numel() / mask.sum())

    def losses(self, image, boxes, label, keep_labels):
        """The seven losses of one image (1, 3, H, W) with boxes (R, 4) and labels (C,)."""
        rois = torch.cat([boxes.new_zeros(len(boxes), 1), boxes], dim=1)
        feats = self.backbone(image)[0]
        pooled = roi_pool(feats, rois, 7, 1 / 8)
        if self.drop is not None:
            pooled = self.dropped(pooled)
        vectors = self.fc(pooled.flatten(1))
        scores = self.mil.fc_cls(vectors).softmax(1) * self.mil.fc_det(vectors).softmax(0)
        phi = scores.sum(0).clamp(1e-10, 1 - 1e-10)
        losses = {'loss_mil': 0}
        for column, value in enumerate(phi):
            present = column < len(label) and label[column] == 1
            losses['loss_mil'] -= torch.log(value if present else 1 - value) / len(phi)
        places = boxes.tolist()
        for number, branch in enumerate(self.branches):
            found, picked = pseudo_labels(places, scores.tolist(), label.tolist())
            if keep_labels:
                self.labels.append((found, picked))
            logits, deltas = branch.fc_cls(vectors), branch.fc_reg(vectors)
            cls, box = 0, 0
            for r, (column, weight, index) in enumerate(found):
                cls -= weight * logits[r].log_softmax(0)[column]
                if column < len(label):
                    goals = offsets(places[r], places[index])
                    for got, goal in zip(
                        deltas[r, 4 * column : 4 * column + 4], goals, strict=True
                    ):
                        gap = (got - goal).abs()
                        box += weight * (gap**2 / 2 if gap < 1 else gap - 0.5)
            times = 3 if number == 0 else 1
            losses[f's{number}.loss_cls'] = times * cls / len(boxes)
            losses[f's{number}.loss_bbox'] = times * box / len(boxes)
            scores = logits.softmax(1)
        return losses

    def descend(self, loss, player):
        """One step of SGD of a player; biases of the detector at twice the rate, without decay."""
        parameters = self.players[player]
        grads = torch.autograd.grad(loss, [p for p, _ in parameters.values()])
        rate = self.rates[player]
        if player == 0:
            rate *= START + (1 - START) * min(self.steps / WARMUP, 1)
        with torch.no_grad():
            for (name, (p, speed)), grad in zip(parameters.items(), grads, strict=True):
                bias = player == 0 and name.endswith('bias')
                speed.mul_(MOMENTUM).add_(grad + (0 if bias else DECAY) * p)
                p -= (2 if bias else 1) * rate * speed

    def step(self, image, boxes, label):
        """Detector, then drop layer with new masks and the new weights; the detector's losses."""
        losses = self.losses(image, boxes, label, keep_labels=True)
        self.descend(sum(losses.values()), 0)
        if self.drop is not None:
            again = self.losses(image, boxes, label, keep_labels=False)
            self.descend(-ASCENT * sum(again.values()), 1)
        self.steps += 1
        return {name: loss.item() for name, loss in losses.items()}
