"""One page that tells what a compression did: no network, no script, fit for print."""

from gnomon.report.measurement import LayerRow, Measurement, comparison
from gnomon.report.report import render_report, write_report

__all__ = ["LayerRow", "Measurement", "comparison", "render_report", "write_report"]
