{{- define "sluice.name" -}}
{{- if contains "sluice" .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-sluice" .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "sluice.selector" -}}
app.kubernetes.io/name: sluice
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "sluice.labels" -}}
{{ include "sluice.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "sluice.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- /* Where the commands in the pod ask; the token is for the one that changes something. */ -}}
{{- define "sluice.admin" -}}
{{- if .Values.monitoring.enabled -}}
- {name: SLUICE_ADMIN, value: "https://localhost:9901"}
- {name: SLUICE_CA, value: /etc/sluice/admin-ca.crt}
{{- else -}}
- {name: SLUICE_ADMIN, value: "http://127.0.0.1:9901"}
{{- end -}}
{{- end -}}

{{- define "sluice.locked" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- /* What only a start reads, for the most part: a change of it is another pod, by an annotation. */ -}}
{{- define "sluice.head" -}}
listeners:
  - address: 0.0.0.0:8080
admin:
{{- if .Values.monitoring.enabled }}
  address: 0.0.0.0:9901
  token_file: admin.token
  tls: {certificate: admin.crt, private_key: admin.key}
{{- else }}
  address: 127.0.0.1:9901
{{- end }}
state_dir: /var/lib/sluice/state
workers: {{ .Values.workers }}
shutdown_grace: {{ .Values.shutdownGraceSeconds }}s
{{- with .Values.fleet.etcd }}
fleet:
  instance: "${POD_NAME}"
  etcd:
    endpoints:
    {{- range . }}
      - {{ . | quote }}
    {{- end }}
    prefix: {{ $.Values.fleet.prefix | default (printf "/sluice/%s/%s" $.Release.Namespace (include "sluice.name" $)) | quote }}
{{- end }}
{{- end -}}

{{- /* What does not go together. */ -}}
{{- define "sluice.check" -}}
{{- if and (gt (int .Values.replicas) 1) (not .Values.fleet.etcd) -}}
{{- fail "replicas: more than one sluice share their rollouts by an etcd; set fleet.etcd to its endpoints, or replicas to 1" -}}
{{- end -}}
{{- if and .Values.persistence.enabled .Values.fleet.etcd -}}
{{- fail "persistence.enabled: a volume has one user, and a fleet keeps its rollouts in etcd; set one of persistence.enabled and fleet.etcd" -}}
{{- end -}}
{{- end -}}
