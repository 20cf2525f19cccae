"""The types of resources of an API server 1.37, and how kubectl finds the one that is meant.

``svc``, ``service``, ``services``, ``Services``, ``services.v1.`` and ``endpointslices.discovery.k8s.io`` are
names of types; short names must match exactly, others in any case. As in discovery, a name without a group
means the first group of :data:`RESOURCES` that has it.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from rulegen.kubectl.errors import KubectlError
from rulegen.load.api.answers import quoted


class Resource(msgspec.Struct, frozen=True):
    """One type of resource; ``listed`` types can be read, others only be created."""

    name: str
    kind: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    short: tuple[str, ...] = ()
    listed: bool = True

    @property
    def full_name(self) -> str:
        """``services``, ``deployments.apps``: as in the server's errors."""
        return f"{self.name}.{self.group}" if self.group else self.name

    @property
    def group_kind(self) -> str:
        """``service``, ``deployment.apps``: as in ``-o name``."""
        kind = self.kind.lower()
        return f"{kind}.{self.group}" if self.group else kind

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def __str__(self) -> str:
        """As Go prints a GroupVersionResource."""
        return f"{self.group}/{self.version}, Resource={self.name}"


_TABLE = """
v1: bindings=Binding! componentstatuses=ComponentStatus*/cs configmaps=ConfigMap/cm endpoints=Endpoints/ep
    events=Event/ev limitranges=LimitRange/limits namespaces=Namespace*/ns nodes=Node*/no
    persistentvolumeclaims=PersistentVolumeClaim/pvc persistentvolumes=PersistentVolume*/pv pods=Pod/po
    podtemplates=PodTemplate replicationcontrollers=ReplicationController/rc
    resourcequotas=ResourceQuota/quota secrets=Secret serviceaccounts=ServiceAccount/sa services=Service/svc
apiregistration.k8s.io/v1: apiservices=APIService*
apps/v1: controllerrevisions=ControllerRevision daemonsets=DaemonSet/ds deployments=Deployment/deploy
    replicasets=ReplicaSet/rs statefulsets=StatefulSet/sts
events.k8s.io/v1: events=Event/ev
authentication.k8s.io/v1: selfsubjectreviews=SelfSubjectReview*! tokenreviews=TokenReview*!
authorization.k8s.io/v1: localsubjectaccessreviews=LocalSubjectAccessReview!
    selfsubjectaccessreviews=SelfSubjectAccessReview*! selfsubjectrulesreviews=SelfSubjectRulesReview*!
    subjectaccessreviews=SubjectAccessReview*!
autoscaling/v2: horizontalpodautoscalers=HorizontalPodAutoscaler/hpa
batch/v1: cronjobs=CronJob/cj jobs=Job
certificates.k8s.io/v1: certificatesigningrequests=CertificateSigningRequest*/csr
    clustertrustbundles=ClusterTrustBundle* podcertificaterequests=PodCertificateRequest
networking.k8s.io/v1: ingressclasses=IngressClass* ingresses=Ingress/ing ipaddresses=IPAddress*/ip
    networkpolicies=NetworkPolicy/netpol servicecidrs=ServiceCIDR*
policy/v1: poddisruptionbudgets=PodDisruptionBudget/pdb
rbac.authorization.k8s.io/v1: clusterrolebindings=ClusterRoleBinding* clusterroles=ClusterRole*
    rolebindings=RoleBinding roles=Role
storage.k8s.io/v1: csidrivers=CSIDriver* csinodes=CSINode* csistoragecapacities=CSIStorageCapacity
    storageclasses=StorageClass*/sc volumeattachments=VolumeAttachment*
    volumeattributesclasses=VolumeAttributesClass*/vac
admissionregistration.k8s.io/v1: mutatingadmissionpolicies=MutatingAdmissionPolicy*
    mutatingadmissionpolicybindings=MutatingAdmissionPolicyBinding*
    mutatingwebhookconfigurations=MutatingWebhookConfiguration*
    validatingadmissionpolicies=ValidatingAdmissionPolicy*
    validatingadmissionpolicybindings=ValidatingAdmissionPolicyBinding*
    validatingwebhookconfigurations=ValidatingWebhookConfiguration*
apiextensions.k8s.io/v1: customresourcedefinitions=CustomResourceDefinition*/crd/crds
scheduling.k8s.io/v1: priorityclasses=PriorityClass*/pc
coordination.k8s.io/v1: leases=Lease
node.k8s.io/v1: runtimeclasses=RuntimeClass*
discovery.k8s.io/v1: endpointslices=EndpointSlice
resource.k8s.io/v1: deviceclasses=DeviceClass* devicetaintrules=DeviceTaintRule* resourceclaims=ResourceClaim
    resourceclaimtemplates=ResourceClaimTemplate resourceslices=ResourceSlice*
flowcontrol.apiserver.k8s.io/v1: flowschemas=FlowSchema*
    prioritylevelconfigurations=PriorityLevelConfiguration*
storagemigration.k8s.io/v1: storageversionmigrations=StorageVersionMigration*
"""
"""By API version: ``name=Kind``, ``*`` for a type without namespace, ``!`` for one that is only created,
``/short`` names."""


def _read(table: str) -> Iterator[Resource]:
    api_version = ""
    for word in table.split():
        if word.endswith(":"):
            api_version = word[:-1]
            continue
        group, _, version = api_version.rpartition("/")
        name, _, rest = word.partition("=")
        kind, *short = rest.split("/")
        yield Resource(
            name=name,
            kind=kind.rstrip("*!"),
            group=group,
            version=version,
            namespaced="*" not in kind,
            short=tuple(short),
            listed="!" not in kind,
        )


RESOURCES = tuple(_read(_TABLE))

ALL = (
    "pods",
    "replicationcontrollers",
    "services",
    "daemonsets.apps",
    "deployments.apps",
    "replicasets.apps",
    "statefulsets.apps",
    "horizontalpodautoscalers.autoscaling",
    "cronjobs.batch",
    "jobs.batch",
)
"""The types that ``all`` stands for."""


def find_resource(argument: str) -> Resource:
    """The type that an argument names; :class:`KubectlError` where there is none."""
    name, _, group = argument.partition(".")
    version, _, versioned_group = group.partition(".")
    found = None
    if "." in group:
        found = _match(name, versioned_group, version)
    if found is None:
        found = _match(name, group, "")
    if found is None:
        in_group = f" in group {quoted(group)}" if group else ""
        raise KubectlError(f"the server doesn't have a resource type {quoted(name)}{in_group}")
    return found


def other_meanings(argument: str) -> list[Resource]:
    """The types of lower priority that a short name without a group could also stand for."""
    if any(argument in (each.name, each.kind.lower()) for each in RESOURCES):
        return []
    return [each for each in RESOURCES if argument in each.short][1:]


def by_kind(group: str, kind: str) -> Resource | None:
    """The type of objects of a kind."""
    return _KINDS.get((group, kind))


_KINDS = {(resource.group, resource.kind): resource for resource in RESOURCES}


def _match(name: str, group: str, version: str) -> Resource | None:
    name, group = _expanded(name, group)
    wanted = name.lower()
    found = [
        each
        for each in RESOURCES
        if wanted in (each.name, each.kind.lower()) and version in ("", each.version)
    ]
    exact = [each for each in found if not group or each.group == group]
    return next(iter(exact or [each for each in found if each.group.startswith(group)]), None)


def _expanded(name: str, group: str) -> tuple[str, str]:
    """The long name and group that a short name stands for."""
    inside = [each for each in RESOURCES if not group or each.group == group]
    if any(name in (each.name, each.kind.lower()) for each in inside):
        return name, group
    for each in inside:
        if name in each.short:
            return each.name, each.group
    if group:
        for each in RESOURCES:
            if name in each.short and each.group.startswith(group):
                return each.name, each.group
    return name, group
