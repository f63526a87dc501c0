"""Checks the template as CloudFormation gets it, for each set of parameters that it is given.

usage: template.py <JOBS >ANSWERS

JOBS is a JSON array of {template, samples}: a template's text, and parameters by the name of their sample. For each sample
the SAM transform runs and every intrinsic function is resolved. Validators then look at what each sees best:

  cfn-lint                  the resolved resources, each form once, against CloudFormation's schemas and its own rules
  botocore's models         the resolved resources, against the API call behind each: members, enumerations, patterns, ranges
  cloudformation-validate   once, the template with its functions, parameters and rules: AWS's own validator

ANSWERS is an array of {resources, conditions, findings}: resources by sample and logical id, as {Type, Properties, …};
whether each condition holds, by sample; and lines.
"""

import copy
import json
import logging
import re
import sys

import botocore.session
import cloudformation_validate
from cfnlint.config import ConfigMixIn
from cfnlint.decode.decode import decode_str
from cfnlint.runner import Runner
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

REGION, ACCOUNT, STACK = "eu-west-1", "123456789012", "streamproof"
PSEUDO = {
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::StackName": STACK,
    "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK}/11111111-2222-3333-4444-555555555555",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}

# The ARN of a resource whose type has one, by its name.
ARNS = {
    "AWS::S3::Bucket": "arn:aws:s3:::{}",
    "Custom::BucketContents": "arn:aws:s3:::{}",
    "AWS::Kinesis::Stream": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{{}}",
    "AWS::KinesisFirehose::DeliveryStream": f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/{{}}",
    "AWS::KinesisAnalyticsV2::Application": f"arn:aws:kinesisanalytics:{REGION}:{ACCOUNT}:application/{{}}",
    "AWS::Lambda::Function": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{{}}",
    "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/{{}}",
    "AWS::SQS::Queue": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{{}}",
    "AWS::SNS::Topic": f"arn:aws:sns:{REGION}:{ACCOUNT}:{{}}",
    "AWS::CloudWatch::Alarm": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{{}}",
    "AWS::StepFunctions::StateMachine": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{{}}",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{{}}:*",
}

# cloudformation-validate puts in every value that a parameter may have, also where a condition keeps it away.
# It does not see in outputs that a condition keeps a reference away, either; cfn-lint's rule of the same name does.
EXCUSED = {"W1001", "W1030", "W1032"}

NO_VALUE = object()


class NoManagedPolicies:
    """The template names no managed policy, so SAM needs none."""

    def load(self):
        return {}


def transformed(template, parameters):
    """The template after the SAM transform, with the parameters as its defaults."""
    template = copy.deepcopy(template)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://packages/package"  # as `sam package` writes it
    values = {name: str(parameters.get(name, p["Default"])) for name, p in template["Parameters"].items()}
    for name, value in values.items():
        template["Parameters"][name]["Default"] = value
    return transform(template, dict(values), NoManagedPolicies())


class Resolver:
    """Resolves the intrinsic functions of a template whose parameters all have defaults."""

    def __init__(self, template):
        self.template = template
        self.parameters = {name: p["Default"] for name, p in template["Parameters"].items()}
        self.resources = template["Resources"]

    def resolved(self):
        """The resources whose condition holds, by logical id."""
        return {
            name: dict(r, Properties=self.value(r.get("Properties", {})))
            for name, r in self.resources.items()
            if "Condition" not in r or self.condition(r["Condition"])
        }

    def condition(self, name):
        return self.value(self.template["Conditions"][name])

    def value(self, value):
        if isinstance(value, list):
            return [v for v in map(self.value, value) if v is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (function, argument), = value.items()
            method = self.FUNCTIONS.get(function)
            if method:
                return method(self, argument)
        values = {k: self.value(v) for k, v in value.items()}
        return {k: v for k, v in values.items() if v is not NO_VALUE}

    def ref(self, name):
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self.parameters:
            value = self.parameters[name]
            return int(value) if self.template["Parameters"][name]["Type"] == "Number" else value
        kind = self.resources[name]["Type"]
        if kind == "Custom::BucketContents":
            return self.value(self.resources[name]["Properties"]["Bucket"])
        if kind == "AWS::KinesisAnalyticsV2::Application":
            return self.value(self.resources[name]["Properties"]["ApplicationName"])
        if kind == "AWS::SQS::Queue":
            return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{self.physical(name)}"
        if kind in ("AWS::SNS::Topic", "AWS::StepFunctions::StateMachine"):
            return ARNS[kind].format(self.physical(name))
        return self.physical(name)

    def physical(self, name):
        physical = f"{STACK}-{name}"
        return physical.lower() if self.resources[name]["Type"] == "AWS::S3::Bucket" else physical

    def get_att(self, argument):
        name, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
        kind = self.resources[name]["Type"]
        if attribute == "Arn":
            named = self.ref(name) if kind.startswith(("Custom::", "AWS::KinesisAnalytics")) else self.physical(name)
            return ARNS[kind].format(named)
        if attribute == "QueueName" or kind == "AWS::StepFunctions::StateMachine" and attribute == "Name":
            return self.physical(name)
        if attribute == "Version":
            return "1"
        return f"{name}.{attribute}"  # what a custom resource answers

    def sub(self, argument):
        text, names = argument if isinstance(argument, list) else (argument, {})
        names = {k: self.value(v) for k, v in names.items()}

        def replace(match):
            name = match.group(1)
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in names:
                return str(names[name])
            return str(self.get_att(name) if "." in name else self.ref(name))

        return re.sub(r"\$\{([^}]*)\}", replace, text)

    def if_(self, argument):
        name, then, otherwise = argument
        return self.value(then if self.condition(name) else otherwise)

    def select(self, argument):
        index, values = argument
        return self.value(values)[int(self.value(index))]

    def split(self, argument):
        separator, text = argument
        return self.value(text).split(separator)

    def find_in_map(self, argument):
        name, first, second = (str(self.value(each)) for each in argument)
        return self.template["Mappings"][name][first][second]

    def join(self, argument):
        separator, values = argument
        return separator.join(map(str, self.value(values)))

    def equals(self, argument):
        one, other = map(self.value, argument)
        return str(one) == str(other)

    FUNCTIONS = {
        "Ref": ref,
        "Fn::GetAtt": get_att,
        "Fn::Sub": sub,
        "Fn::If": if_,
        "Fn::Select": select,
        "Fn::Split": split,
        "Fn::FindInMap": find_in_map,
        "Fn::Join": join,
        "Fn::Equals": equals,
        "Fn::Not": lambda self, argument: not self.value(argument[0]),
        "Fn::And": lambda self, argument: all(map(self.value, argument)),
        "Fn::Or": lambda self, argument: any(map(self.value, argument)),
        "Condition": condition,
    }


class Models:
    """What botocore knows of the calls that CloudFormation makes for a resource."""

    # The call that makes a resource of a type, and what CloudFormation adds or says otherwise.
    CALLS = {
        "AWS::KinesisAnalyticsV2::Application": ("kinesisanalyticsv2", "CreateApplication"),
        "AWS::KinesisFirehose::DeliveryStream": ("firehose", "CreateDeliveryStream"),
        "AWS::CloudWatch::Alarm": ("cloudwatch", "PutMetricAlarm"),
        "AWS::CloudWatch::Dashboard": ("cloudwatch", "PutDashboard"),
        "AWS::Scheduler::Schedule": ("scheduler", "CreateSchedule"),
        "AWS::Kinesis::Stream": ("kinesis", "CreateStream"),
        "AWS::Lambda::Function": ("lambda", "CreateFunction"),
        "AWS::IAM::Role": ("iam", "CreateRole"),
        "AWS::SNS::Subscription": ("sns", "Subscribe"),
    }
    # Properties of which another call, or another form, tells.
    OTHERWISE = {
        "AWS::KinesisAnalyticsV2::Application": {"RunConfiguration"},  # UpdateApplication's
        "AWS::Kinesis::Stream": {"RetentionPeriodHours", "StreamEncryption", "Tags"},
        "AWS::Lambda::Function": {"Tags"},
        "AWS::IAM::Role": {"AssumeRolePolicyDocument", "Policies"},
        "AWS::SNS::Subscription": set(),
    }
    # Names that CloudFormation gives by itself where the template does not.
    NAMES = {
        "AWS::KinesisFirehose::DeliveryStream": "DeliveryStreamName",
        "AWS::CloudWatch::Alarm": "AlarmName",
        "AWS::CloudWatch::Dashboard": "DashboardName",
        "AWS::Scheduler::Schedule": "Name",
        "AWS::Kinesis::Stream": "StreamName",
        "AWS::Lambda::Function": "FunctionName",
        "AWS::IAM::Role": "RoleName",
    }

    def __init__(self):
        self.session = botocore.session.get_session()
        self.inputs = {}

    def input(self, call):
        if call not in self.inputs:
            service, operation = call
            self.inputs[call] = self.session.get_service_model(service).operation_model(operation).input_shape
        return self.inputs[call]

    def faults(self, logical_id, resource):
        kind = resource["Type"]
        call = self.CALLS.get(kind)
        if call is None:
            return
        otherwise = self.OTHERWISE.get(kind, {"Tags"})
        properties = {k: v for k, v in resource["Properties"].items() if k not in otherwise}
        if kind in self.NAMES:
            properties.setdefault(self.NAMES[kind], f"{STACK}-{logical_id}")
        shape = self.input(call)
        if kind == "AWS::IAM::Role":
            properties["AssumeRolePolicyDocument"] = json.dumps(resource["Properties"]["AssumeRolePolicyDocument"])
        for where, what in self.check(properties, shape, call[1]):
            yield f"{logical_id}: {where}: {what}"

    def check(self, value, shape, where):
        kind = shape.type_name
        if kind == "structure":
            if not isinstance(value, dict):
                yield where, f"{value!r} is not a structure"
                return
            for name in shape.required_members:
                if name not in value and name != "clientToken":
                    yield where, f"has no {name}"
            for name, member in value.items():
                if name not in shape.members:
                    yield where, f"{name} is not one of {', '.join(shape.members)}"
                else:
                    yield from self.check(member, shape.members[name], f"{where}.{name}")
        elif kind == "list":
            if not isinstance(value, list):
                yield where, f"{value!r} is not a list"
                return
            yield from self.bounds(len(value), shape, where, "members")
            for i, member in enumerate(value):
                yield from self.check(member, shape.member, f"{where}[{i}]")
        elif kind == "map":
            yield from self.bounds(len(value), shape, where, "members")
            for name, member in value.items():
                yield from self.check(name, shape.key, f"{where} key")
                yield from self.check(member, shape.value, f"{where}.{name}")
        elif kind in ("integer", "long", "double", "float"):
            try:  # CloudFormation takes a number that stands in quotes, as each parameter's does
                number = float(value)
            except (TypeError, ValueError):
                yield where, f"{value!r} is not a number"
                return
            yield from self.bounds(number, shape, where, "")
        elif kind == "boolean":
            if str(value).lower() not in ("true", "false"):
                yield where, f"{value!r} is not true or false"
        elif kind == "string":
            if not isinstance(value, (str, int, float)):
                yield where, f"{value!r} is not a text"
                return
            value = str(value)
            yield from self.bounds(len(value), shape, where, "characters")
            if shape.enum and value not in shape.enum:
                yield where, f"{value!r} is not one of {', '.join(shape.enum)}"
            pattern = shape.metadata.get("pattern")
            if pattern and not re.search(self.python(pattern), value):
                yield where, f"{value!r} does not match {pattern}"

    @staticmethod
    def python(pattern):
        """AWS's patterns are Java's: whole matches, with some classes that Python calls otherwise."""
        pattern = pattern.replace(r"\p{Z}", r"\s").replace(r"\p{L}", "a-zA-Z").replace(r"\p{N}", "0-9")
        return f"^(?:{pattern})$"

    @staticmethod
    def bounds(size, shape, where, unit):
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if low is not None and size < low or high is not None and size > high:
            yield where, f"{size:g} {unit} is outside {low} to {high}".replace("  ", " ")


def check(template, samples):
    """The resolved resources by sample, and the findings."""
    severe = (cloudformation_validate.Severity.WARN, cloudformation_validate.Severity.ERROR, cloudformation_validate.Severity.FATAL)
    findings, resolved, conditions = {}, {}, {}

    def found(by, what, name):
        findings.setdefault(f"{by}: {what}", []).append(name)

    # What cfn-lint looks at: each resource once in each of the forms that it has. Most samples change few resources,
    # and a resource that is resolved names no other. The first sample is whole.
    layers = []  # templates, of resources by logical id
    forms = {}  # by logical id and the form as JSON, in the order of the layers: the names of the samples

    def lint(resources, name):
        for logical_id, resource in resources.items():
            known = forms.setdefault(logical_id, {})
            form = json.dumps(resource)
            if form not in known:
                if len(known) == len(layers):
                    layers.append({})
                layers[len(known)][logical_id] = resource
            known.setdefault(form, []).append(name)

    def lint_layers():
        for i, resources in enumerate(layers):
            decoded, _ = decode_str(json.dumps({"Resources": resources}))
            for match in LINTER.validate_template(decoded):
                path = list(map(str, match.path or []))
                for name in list(forms[path[1]].values())[i] if path[1:] else ["all"]:
                    found("cfn-lint", f"{match.rule.id} {'/'.join(path)}: {match.message}", name)

    content = cloudformation_validate.TemplateContent(json.dumps(transformed(template, {})))
    for d in ENGINE.validate_template(content).diagnostics:
        if d.severity in severe and d.rule_id not in EXCUSED:
            found("cloudformation-validate", f"{d.rule_id} {d.entity.logical_id if d.entity else ''}: {d.message}", "default")
    for name, parameters in samples.items():
        resolver = Resolver(transformed(template, parameters))
        conditions[name] = {condition: resolver.condition(condition) for condition in template["Conditions"]}
        resources = {
            logical_id: {k: v for k, v in resource.items() if k not in ("Condition", "DependsOn", "Metadata")}
            for logical_id, resource in resolver.resolved().items()
        }
        resolved[name] = resources
        lint(resources, name)
        for logical_id, resource in resources.items():
            for fault in MODELS.faults(logical_id, resource):
                found("botocore", fault, name)
    lint_layers()
    return {
        "resources": resolved,
        "conditions": conditions,
        "findings": [f"{finding} (with the parameters of {', '.join(names)})" for finding, names in findings.items()],
    }


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    ENGINE, MODELS = cloudformation_validate.CompositeEngine(), Models()
    LINTER = Runner(ConfigMixIn(
        regions=[REGION],
        include_checks=["I"],
        include_experimental=True,
        ignore_checks=["I4010"],  # a description for machines, which the comments of the template are
        configure_rules={"E3012": {"strict": False}},  # CloudFormation makes numbers of what Fn::Select gives
    ))
    json.dump([check(yaml_parse(job["template"]), job["samples"]) for job in json.load(sys.stdin)], sys.stdout)
