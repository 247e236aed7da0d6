//! Secrets, parameters and stack outputs: that they exist, and plain values. A secret's value is never read.

use super::{Looked, Observer, absent_on, named, value};
use crate::aws::call::{Error, Operation};
use crate::aws::pace::Priority;
use crate::core::id::Scope;
use crate::core::retry::Class;
use aws_sdk_ssm::types::{ParameterStringFilter, ParameterType};

impl Observer {
    pub(super) async fn secret(&self, name: &str, priority: Priority) -> Looked {
        const OPERATION: Operation = Operation::read("secretsmanager", "DescribeSecret");
        let request = self.clients.secrets.describe_secret().secret_id(name);
        let answer = self.clients.calls.call(OPERATION, priority, request.send()).await;
        let answer = absent_on(answer, "ResourceNotFoundException")?;
        // A secret that is scheduled for deletion cannot be used any more (DescribeSecret, DeletedDate).
        Ok(answer.filter(|secret| secret.deleted_date().is_none()).map(|secret| named(secret.arn())))
    }

    pub(super) async fn parameter(&self, name: &str, priority: Priority) -> Looked {
        const OPERATION: Operation = Operation::read("ssm", "DescribeParameters");
        let filter = ParameterStringFilter::builder().key("Name").option("Equals").values(name).build();
        let filter = filter.map_err(|error| Error::local(OPERATION, Class::Terminal, error.to_string()))?;
        let request = self.clients.ssm.describe_parameters().parameter_filters(filter);
        let answer = self.clients.calls.call(OPERATION, priority, request.send()).await?;
        let there = answer.parameters().iter().any(|parameter| parameter.name() == Some(name));
        let Scope { account, region, cluster: _ } = &self.scope;
        // A parameter's ARN has its name behind one slash, whether or not the name begins with one.
        let path = name.trim_start_matches('/');
        let arn = format!("arn:{}:ssm:{region}:{account}:parameter/{path}", self.scope.partition());
        Ok(there.then(|| named(Some(&arn))))
    }

    pub(super) async fn parameter_value(&self, name: &str, priority: Priority) -> Looked {
        const OPERATION: Operation = Operation::read("ssm", "GetParameter");
        let request = self.clients.ssm.get_parameter().name(name);
        let answer =
            absent_on(self.clients.calls.call(OPERATION, priority, request.send()).await, "ParameterNotFound")?;
        let Some(parameter) = answer.and_then(|answer| answer.parameter) else { return Ok(None) };
        if parameter.r#type() == Some(&ParameterType::SecureString) {
            let message = "it is a SecureString: name it under `secrets`, its value is never read";
            return Err(Error::local(OPERATION, Class::Terminal, message));
        }
        Ok(parameter.value().map(value))
    }

    pub(super) async fn stack_output(&self, name: &str, priority: Priority) -> Looked {
        const OPERATION: Operation = Operation::read("cloudformation", "DescribeStacks");
        let Some((stack, output)) = name.split_once('.') else { return Ok(None) };
        let request = self.clients.cloudformation.describe_stacks().stack_name(stack);
        let answer = match self.clients.calls.call(OPERATION, priority, request.send()).await {
            Err(error) if error.message.contains("does not exist") => return Ok(None),
            answer => answer?,
        };
        let outputs = answer.stacks().iter().flat_map(aws_sdk_cloudformation::types::Stack::outputs);
        let found = outputs.filter(|o| o.output_key() == Some(output)).find_map(|o| o.output_value());
        Ok(found.map(value))
    }
}
