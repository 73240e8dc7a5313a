"""Who we are, for a collector: the SDK's resource, with our name where OTEL_SERVICE_NAME says none."""

from __future__ import annotations

from opentelemetry.sdk.resources import Resource

from proxy import __version__

_NAME = "service.name"


def our_resource() -> Resource:
    """The resource. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over what we say."""
    found = Resource.create()
    ours = {"service.version": __version__} if "service.version" not in found.attributes else {}
    if str(found.attributes.get(_NAME, "")).startswith("unknown_service"):
        ours[_NAME] = "sightglass"
    return found.merge(Resource(ours))
