"""What the model is shown through proposed windows, for whoever takes the path step by step."""

from collections.abc import Sequence

from geomag.config.schema import Profile
from geomag.inference.probes import ProbeRequest, WindowProposal
from geomag.model.model_input import ModelInput, ModelInputs


def inputs_through(
    requests: Sequence[ProbeRequest], proposals: Sequence[WindowProposal], profile: Profile
) -> list[ModelInput]:
    """What the model is shown through each window; the whole image where there is none."""
    inputs = ModelInputs(profile)
    return [
        inputs.of(request.image, request.granularity, proposal.boxes, proposal.heat)
        for request, proposal in zip(requests, proposals, strict=True)
    ]
