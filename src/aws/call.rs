//! How AWS is called.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeSerializationInterceptorContextMut;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use std::fmt::Debug;

/// Sends a typed input whole: replaces the operation's input before the SDK serializes it. The same for every operation
/// and protocol.
///
/// It replaces the input after the SDK filled in idempotency tokens, so an input that takes one must carry its own.
///
/// ```ignore
/// let input: CreateServiceInput = decode(&document)?;
/// client.create_service().customize().interceptor(WithInput(input)).send().await?;
/// ```
#[derive(Debug)]
pub struct WithInput<T>(pub T);

impl<T: Clone + Debug + Send + Sync + 'static> Intercept for WithInput<T> {
    fn name(&self) -> &'static str {
        "WithInput"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let input = context.input_mut().downcast_mut::<T>().ok_or("the input is of another operation")?;
        *input = self.0.clone();
        Ok(())
    }
}
