# Runs MiniStack. Its CloudFormation asks the stand-in for Managed Flink before it changes an application or creates a
# delivery stream. On AWS, CloudFormation's resource handlers call the service; MiniStack's are calls inside this
# process, which no proxy sees.
import json
import os
import sys
import urllib.error
import urllib.request

from ministack.services import firehose, kinesisanalyticsv2 as flink
from ministack.services.cloudformation import provisioners, stacks

GATE = os.environ.pop("STREAMPROOF_GATE", None)


def ask(operation, name, **more):
    """Returns the service's refusal as (code, message), None if it accepts the call or there is no stand-in to ask."""
    if GATE is None:
        return None
    body = json.dumps({"Operation": operation, "Name": name, **more}).encode()
    try:
        urllib.request.urlopen(urllib.request.Request(GATE, body, method="POST"), timeout=60).close()
    except urllib.error.HTTPError as error:
        refusal = json.load(error)
        return refusal["__type"], refusal["message"]
    return None


def gated(operation, call, **members):
    def gate(data, *args, **kwargs):
        more = {member: data.get(path) for member, path in members.items()}
        refusal = ask(operation, data.get("ApplicationName"), **more)
        return flink._error(*refusal) if refusal else call(data, *args, **kwargs)
    return gate


def raises(operation, call, name, role=lambda *_: None):
    def gate(*args, **kwargs):
        refusal = ask(operation, name(*args), Role=role(*args))
        if refusal:
            raise ValueError("%s: %s" % refusal)
        return call(*args, **kwargs)
    return gate


flink.create_application = gated("CreateApplication", flink.create_application,
                                 Role="ServiceExecutionRole", Configuration="ApplicationConfiguration")
flink.update_application = gated("UpdateApplication", flink.update_application)
flink.delete_application = gated("DeleteApplication", flink.delete_application)
flink.add_logging_option = gated("AddApplicationCloudWatchLoggingOption", flink.add_logging_option)
# Only CloudFormation calls these two, and its handlers ignore their answers: so a refusal is raised.
flink.replace_from_template = raises("UpdateApplication", flink.replace_from_template, lambda name, props: name)
flink.delete_logging_option = raises("DeleteApplicationCloudWatchLoggingOption", flink.delete_logging_option,
                                     lambda data: data["ApplicationName"])

handlers = provisioners._RESOURCE_HANDLERS["AWS::KinesisFirehose::DeliveryStream"]
handlers["create"] = raises(
    "CreateDeliveryStream", handlers["create"], lambda logical_id, props, stack: logical_id,
    lambda logical_id, props, stack: (props.get("ExtendedS3DestinationConfiguration") or {}).get("RoleARN"))

# The stand-in for delivery streams reads their sources. MiniStack's would deliver each record besides, unbuffered.
firehose.ingest_from_kinesis_source = lambda stream_arn, records: None

# The stand-in asks this process in turn, so the event loop must not wait for its answer.
waits = stacks._runs_on_worker_thread
stacks._runs_on_worker_thread = lambda kind: waits(kind) or kind.startswith(
    ("AWS::KinesisAnalyticsV2::", "AWS::KinesisFirehose::"))

from ministack.app import main  # noqa: E402

sys.exit(main())
