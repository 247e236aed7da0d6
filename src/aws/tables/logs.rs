//! CloudWatch Logs: log groups.

use crate::aws::wire::{enums, structures};
use aws_sdk_cloudwatchlogs::operation::associate_kms_key::AssociateKmsKeyInput;
use aws_sdk_cloudwatchlogs::operation::create_log_group::CreateLogGroupInput;
use aws_sdk_cloudwatchlogs::operation::delete_retention_policy::DeleteRetentionPolicyInput;
use aws_sdk_cloudwatchlogs::operation::put_retention_policy::PutRetentionPolicyInput;
use aws_sdk_cloudwatchlogs::operation::tag_resource::TagResourceInput;
use aws_sdk_cloudwatchlogs::types::*;

structures! {
    CreateLogGroupInput as CreateLogGroup {
        #[required] logGroupName, kmsKeyId, tags, logGroupClass, deletionProtectionEnabled,
    }
    PutRetentionPolicyInput as PutRetentionPolicy { #[required] logGroupName, #[required] retentionInDays }
    DeleteRetentionPolicyInput as DeleteRetentionPolicy { #[required] logGroupName }
    AssociateKmsKeyInput as AssociateKmsKey { logGroupName, #[required] kmsKeyId, resourceIdentifier }
    TagResourceInput as TagResource { #[required] resourceArn, #[required] tags }
    LogGroup {
        logGroupName, creationTime, retentionInDays, metricFilterCount, arn, storedBytes, kmsKeyId,
        dataProtectionStatus, inheritedProperties[], logGroupClass, logGroupArn, deletionProtectionEnabled,
        bearerTokenAuthenticationEnabled,
    }
}

enums! { LogGroupClass, DataProtectionStatus, InheritedProperty }
