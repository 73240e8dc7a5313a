"""Pages -> Grafana's JSON, by grafana-foundation-sdk (schema 42, Grafana 12)."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    DataSourceRef,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    GridPos,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
)

from scripts.dashboards.panel import GREEN, Page, Panel, Query

_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_TAG = "sightglass"
_NUMBER_HEIGHT, _HEIGHT = 4, 8


def page_json(page: Page) -> str:
    """The dashboard as the file that Grafana is provisioned with."""
    return json.dumps(_dashboard(page).build(), cls=JSONEncoder, sort_keys=True, indent=2) + "\n"


def _dashboard(page: Page) -> dashboard.Dashboard:
    made = (
        dashboard.Dashboard(page.title)
        .uid(page.uid)
        .description(page.about)
        .tags([_TAG])
        .editable()
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(
            dashboard.DashboardLink("Sightglass")
            .type(DashboardLinkType.DASHBOARDS)
            .tags([_TAG])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(_choice("job", "Sightglass", "label_values(sightglass_build_info, job)"))
    )
    if page.by_model:
        query = 'label_values(sightglass_calls_total{job=~"$job"}, model)'
        made = made.with_variable(_choice("model", "Model", query))
    top, number = 0, count(1)  # of panels, rows included
    for row in page.rows:
        made = made.with_row(dashboard.Row(row.title).id(next(number)).grid_pos(GridPos(h=1, w=24, x=0, y=top)))
        top += 1
        left = lowest = 0
        for panel in row.panels:
            height = _NUMBER_HEIGHT if panel.form == "number" else _HEIGHT
            if left + panel.width > 24:
                left, top = 0, top + lowest
                lowest = 0
            place = GridPos(h=height, w=panel.width, x=left, y=top)
            made = made.with_panel(_panel(panel).id(next(number)).grid_pos(place))
            left, lowest = left + panel.width, max(lowest, height)
        top += lowest
    return made


def _choice(name: str, label: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(_SOURCE)
        .query({"query": query, "refId": name})
        .definition(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".*")
    )


def _panel(panel: Panel) -> Any:
    made: Any = stat.Panel() if panel.form == "number" else timeseries.Panel()
    made = made.title(panel.title).description(panel.about).unit(panel.unit).datasource(_SOURCE)
    made = made.thresholds(_limits(panel))
    if panel.none:
        made = made.no_value(panel.none)
    for place, query in enumerate(panel.queries):
        made = made.with_target(_target(query, "ABCDEFGH"[place], instant=panel.form == "number"))
    if panel.form == "number":
        color = BigValueColorMode.VALUE if panel.limits else BigValueColorMode.NONE
        return (
            made.color_mode(color)
            .graph_mode(BigValueGraphMode.NONE)
            .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        )
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    made = made.legend(legend.show_legend(True)).fill_opacity(30 if panel.form == "stacked" else 5).line_width(1)
    if panel.form == "stacked":
        made = made.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    return made.min(0)


def _limits(panel: Panel) -> dashboard.ThresholdsConfig:
    steps = [
        Threshold(value=None, color=GREEN),
        *(Threshold(value=value, color=color) for value, color in panel.limits),
    ]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def _target(query: Query, ref: str, *, instant: bool) -> prometheus.Dataquery:
    made = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(ref).datasource(_SOURCE)
    return made.instant() if instant else made.range().exemplar(query.examples)
