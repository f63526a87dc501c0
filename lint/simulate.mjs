// Decides whether policies allow requests, as IAM does, by AWS's own list of actions, resource types and context keys.
//
// Standard input: [{policies, resourcePolicy?, boundary?, action, resource, context}], where policies are documents.
// Standard output: an array of the same length, each "Allowed", "ImplicitlyDenied", "ExplicitlyDenied", or "error: …"
// where the request itself is one that AWS does not know: an action without that resource type, or an unknown key.
import { runSimulation } from "@cloud-copilot/iam-simulate";
import { text } from "node:stream/consumers";

const account = "123456789012";
const named = (policies) => policies.map((policy, i) => ({ name: `policy ${i}`, policy }));
const answers = [];
for (const request of JSON.parse(await text(process.stdin))) {
  const result = await runSimulation(
    {
      request: {
        principal: `arn:aws:sts::${account}:assumed-role/role/session`,
        action: request.action,
        resource: { resource: request.resource, accountId: account },
        contextVariables: { "aws:SecureTransport": "true", ...request.context },
      },
      identityPolicies: named(request.policies),
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      resourcePolicy: request.resourcePolicy,
      permissionBoundaryPolicies: request.boundary && named(request.boundary),
    },
    { simulationMode: "Strict" },
  );
  answers.push(result.resultType === "error" ? `error: ${JSON.stringify(result.errors)}` : result.overallResult);
}
process.stdout.write(JSON.stringify(answers));
