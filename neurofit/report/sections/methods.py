"""A paragraph for the methods of a paper, and what to cite."""

from __future__ import annotations

import re
from urllib.parse import quote

from neurofit.features.catalogue import FEATURES
from neurofit.infer import Method, Summaries
from neurofit.infer.tolerance import GIVEN
from neurofit.report.material import Material
from neurofit.report.words import listed, plural

# Text, and its address: DOI or arXiv. Each package's own page says what to cite.
CITATIONS = {
    "brian2": (
        "Stimberg M, Brette R, Goodman DFM (2019). Brian 2, an intuitive and efficient neural simulator. "
        "eLife 8:e47314.",
        "https://doi.org/10.7554/eLife.47314",
    ),
    "sbi": (
        "Boelts J, Deistler M, Gloeckler M, et al. (2025). sbi reloaded: a toolkit for simulation-based inference "
        "workflows. Journal of Open Source Software 10(108):7754.",
        "https://doi.org/10.21105/joss.07754",
    ),
    "tsnpe": (
        "Deistler M, Gonçalves PJ, Macke JH (2022). Truncated proposals for scalable and hassle-free simulation-based "
        "inference. Advances in Neural Information Processing Systems 35.",
        "https://arxiv.org/abs/2210.04815",
    ),
    "npe": (
        "Papamakarios G, Murray I (2016). Fast epsilon-free inference of simulation models with Bayesian conditional "
        "density estimation. Advances in Neural Information Processing Systems 29.",
        "https://arxiv.org/abs/1605.06376",
    ),
    "npe-c": (
        "Greenberg DS, Nonnenmacher M, Macke JH (2019). Automatic posterior transformation for likelihood-free "
        "inference. International Conference on Machine Learning.",
        "https://arxiv.org/abs/1905.07488",
    ),
    "nle": (
        "Papamakarios G, Sterratt DC, Murray I (2019). Sequential neural likelihood: fast likelihood-free inference "
        "with autoregressive flows. International Conference on Artificial Intelligence and Statistics.",
        "https://arxiv.org/abs/1805.07226",
    ),
    "nre": (
        "Durkan C, Murray I, Papamakarios G (2020). On contrastive learning for likelihood-free inference. "
        "International Conference on Machine Learning.",
        "https://arxiv.org/abs/2002.03712",
    ),
    "slice": (
        "Murray I, Adams RP, MacKay DJC (2010). Elliptical slice sampling. International Conference on Artificial "
        "Intelligence and Statistics.",
        "https://arxiv.org/abs/1001.0175",
    ),
    "efel": (
        "Mandge D, Tuncel A, Jaquier A, et al. (2026). eFEL: Electrophysiology feature extraction library. "
        "Bioinformatics 42(6).",
        "https://doi.org/10.1093/bioinformatics/btag328",
    ),
    "neo": (
        "Garcia S, Guarino D, Jaillet F, et al. (2014). Neo: an object model for handling electrophysiology data in "
        "multiple formats. Frontiers in Neuroinformatics 8:10.",
        "https://doi.org/10.3389/fninf.2014.00010",
    ),
    "tolerance": (
        "Bernaerts Y, Deistler M, Gonçalves PJ, et al. (2025). Combined statistical-biophysical modeling links ion "
        "channel genes to physiology of cortical neuron types. Patterns 6(10):101323.",
        "https://doi.org/10.1016/j.patter.2025.101323",
    ),
    "coverage": (
        "Hermans J, Delaunoy A, Rozet F, et al. (2022). A trust crisis in simulation-based inference? Your posterior "
        "approximations can be unfaithful. Transactions on Machine Learning Research.",
        "https://arxiv.org/abs/2110.06581",
    ),
    "ranks": (
        "Talts S, Betancourt M, Simpson D, Vehtari A, Gelman A (2018). Validating Bayesian inference algorithms with "
        "simulation-based calibration. arXiv:1804.06788.",
        "https://arxiv.org/abs/1804.06788",
    ),
    "random regions": (
        "Lemos P, Coogan A, Hezaveh Y, Perreault-Levasseur L (2023). Sampling-based accuracy testing of posterior "
        "estimators for general inference. International Conference on Machine Learning.",
        "https://arxiv.org/abs/2302.03026",
    ),
    "local": (
        "Linhart J, Gramfort A, Rodrigues PLC (2023). L-C2ST: local diagnostics for posterior approximations in "
        "simulation-based inference. Advances in Neural Information Processing Systems 36.",
        "https://arxiv.org/abs/2306.03580",
    ),
    "conformal": (
        "Bates S, Candès E, Lei L, et al. (2023). Testing for outliers with conformal p-values. Annals of Statistics "
        "51(1):149-178.",
        "https://arxiv.org/abs/2104.08279",
    ),
}
DENSITIES = {
    "maf": "masked autoregressive flows",
    "nsf": "neural spline flows",
    "mdn": "mixture density networks",
}
# Each method in a sentence's words.
METHODS = {
    "tsnpe": "truncated sequential neural posterior estimation (TSNPE; Deistler et al. 2022)",
    "npe": "neural posterior estimation (NPE; Papamakarios and Murray 2016)",
    "npe-c": "sequential neural posterior estimation with atomic proposals (NPE-C; Greenberg et al. 2019)",
    "nle": "sequential neural likelihood estimation (NLE; Papamakarios et al. 2019) and elliptical slice sampling "
    "(Murray et al. 2010)",
    "nre": "sequential neural ratio estimation (NRE; Durkan et al. 2020) and elliptical slice sampling "
    "(Murray et al. 2010)",
}


def cited(method: Method) -> list[tuple[str, str]]:
    """What a run with this method rests on: text and address of each source."""
    sampler = {"slice"} if method.name in ("nle", "nre") else set()
    left_out = {*METHODS, "slice"} - {method.name} - sampler
    return [source for name, source in CITATIONS.items() if name not in left_out]


def network_name(method: Method) -> str:
    """Which networks, in the plural."""
    return "residual classifiers" if method.name == "nre" else DENSITIES[method.schedule.density]


def methods(material: Material) -> str:
    """A paragraph for a paper, with its numbers."""
    fit = material.fit
    m = fit.method
    fitted = material.parts[0].recording
    step = fitted.stimulus.test_step
    versions = fit.run.versions()
    levels = f"{step.level_pa.min():.0f} to {step.level_pa.max():.0f} pA"
    protocol = {
        "steps": f"steps of {levels}",
        "ramps": f"ramps, mean {levels}",
        "waveform": f"of an injected waveform, mean {levels}",
    }[fitted.stimulus.kind]
    networks = f"an ensemble of {m.members} {network_name(m)}"
    if m.members == 1:
        networks = f"one of sbi's {network_name(m)}"
    widened = [row.label for row in material.features if row.widened is not None and row.widened >= 1.5]
    held = len(material.parts) - 1
    text = [
        f"We fitted {'an' if fit.model.title[:1] in 'AEIOU' else 'a'} {_lower(fit.model.title)} "
        f"({plural(len(fit.model.free), 'free parameter')}; {_short(fit.model.references)}) to "
        f"{plural(fitted.n_sweeps, 'current-clamp sweep')} of one cell "
        f"({step.stop_ms - step.start_ms:.0f} ms {protocol}) with neurofit {versions['neurofit']}.",
        f"The recording was read with Neo {versions['neo']} (Garcia et al. 2014), and simulations were run with "
        f"Brian 2 {versions['brian2']} (Stimberg et al. 2019) at a time step of {fit.model.dt_ms:g} ms.",
        f"{plural(len(material.features), 'feature')} of recorded and simulated voltage were measured by the same code "
        f"with eFEL {versions['efel']} (Mandge et al. 2026).",
        f"The posterior was inferred by {METHODS[m.name]} in "
        f"{plural(m.rounds, 'round')} of {plural(m.simulations, 'simulation')} with {networks} (sbi {versions['sbi']}, "
        "Boelts et al. 2025). Every feature was given a Gaussian tolerance, added to the simulations as noise "
        "(Bernaerts et al. 2025)"
        + _measured(fit.summaries)
        + (
            f"; the tolerances of {plural(len(widened), 'passive or spike-shape feature')} that no simulation reached "
            "were widened by what the nearest ones missed."
            if widened
            else "."
        ),
        "Calibration was assessed on fresh simulations around the cell by the ranks of the true parameters (Talts et "
        "al. 2018), the expected coverage of regions of highest density (Hermans et al. 2022) and around random points "
        "(Lemos et al. 2023), and a classifier near the observation (after Linhart et al. 2023), and "
        "misspecification by conformal p-values (Bates et al. 2023) against the prior predictive and the last round's "
        "simulations.",
        f"Posterior predictions were compared with {'fitted and held-out' if held else 'the fitted'} sweeps.",
        f"The model was judged {fit.verdict.word}.",
    ]
    return " ".join(text)


def _measured(declared: Summaries) -> str:
    """Whose tolerances the recording set, in a clause."""
    features = [FEATURES[name].label for name, source in declared.sources.items() if source != GIVEN]
    return f", that of {listed(features)} from what the recording itself shows" if features else ""


def _lower(title: str) -> str:
    """A title inside a sentence; names keep their capital."""
    first = title.split(" ", 1)[0]
    return title if "-" in first or first.isupper() else title[:1].lower() + title[1:]


def _short(references: tuple[str, ...]) -> str:
    """``Pospischil et al. 2008; Brette and Gerstner 2005``: authors and year of the model's own references."""
    years = [re.match(r"(.{2,60}?\b(?:19|20)\d\d)\b", text) for text in references]
    return "; ".join(found[1].replace("(", "") for found in years if found) or "no reference given"


def reference(text: str) -> dict[str, str]:
    """A model's reference; its DOI, if it gives one, becomes a link."""
    found = re.search(r"(?:https?://)?(?:dx\.)?(?:doi\.org/|doi:\s*)(10\.\d{4,9}/[^\s,;]+)", text)
    return {"text": text, "link": f"https://doi.org/{quote(found[1].rstrip('.'), safe='/()')}" if found else ""}
