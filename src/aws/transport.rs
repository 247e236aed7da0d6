//! The SDK's HTTP seam: another way to carry requests than over the network, for an account that lives in this process.

use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use futures_util::future::BoxFuture;
use std::fmt;
use std::sync::Arc;

/// Carries one request, and brings its answer back.
pub type Carry =
    dyn Fn(http::Request<Vec<u8>>) -> BoxFuture<'static, Result<http::Response<Vec<u8>>, BoxError>> + Send + Sync;

/// A way to an account that is not AWS: no environment variable, profile or credential of the user is read for it, and no
/// socket is opened.
#[derive(Clone)]
pub struct Transport(Arc<Carry>);

impl Transport {
    /// Carries requests by calling `carry`.
    pub fn new(carry: Arc<Carry>) -> Self {
        Self(carry)
    }

    /// The SDK's configuration that uses it.
    pub(super) fn config(&self, region: &str) -> aws_config::SdkConfig {
        let carry = Carrier(self.0.clone());
        // Requests are signed all the same: the signature tells region and service.
        let credentials = Credentials::new("SIMULATED", "simulated", None, None, "simulated account");
        aws_config::SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::latest())
            .region(aws_config::Region::new(region.to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http_client_fn(move |_, _| SharedHttpConnector::new(carry.clone())))
            .build()
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Carrier(Arc<Carry>);

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carrier").finish_non_exhaustive()
    }
}

impl HttpConnector for Carrier {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let carry = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let (parts, body) = request.into_parts();
            let body = body.bytes().unwrap_or_default().to_vec();
            let answer = carry(http::Request::from_parts(parts, body)).await;
            let answer = answer.map_err(ConnectorError::io)?;
            HttpResponse::try_from(answer.map(Into::into)).map_err(|error| ConnectorError::user(error.into()))
        })
    }
}
