//! Images in Amazon ECR: that they are there, and which one a tag points to.

use super::{Observer, Seen, observed, same};
use crate::aws::call::Operation;
use crate::aws::pace::Priority;
use crate::core::id::ResourceId;
use crate::core::image::{EcrImage, Pushed};
use crate::core::observed::{Facts, Live, Observed};
use aws_sdk_ecr::config::{Config, Region};
use aws_sdk_ecr::types::{Image, ImageFailureCode, ImageIdentifier};
use serde_json::Value;
use std::sync::Arc;

const OPERATION: Operation = Operation::read("ecr", "BatchGetImage");

impl Observer {
    /// Images of one repository, which may be another account's or in another region. Not DescribeImages: a repository's
    /// policy that lets another account pull grants BatchGetImage.
    pub(super) async fn images(&self, ids: &[ResourceId], priority: Priority) -> Seen {
        let Some(first) = ids.first().and_then(|id| EcrImage::of(&id.name)) else {
            return same(ids, &Observed::Unknown { why: "only Amazon ECR is asked for images".into() });
        };
        let request = self.clients.ecr.batch_get_image().registry_id(first.account).repository_name(first.repository);
        let request = request.set_image_ids(Some(ids.iter().map(|id| identifier(&id.name)).collect())).customize();
        let request = request.config_override(Config::builder().region(Region::new(first.region.to_owned())));
        let answer = match self.clients.calls.call(OPERATION, priority, request.send()).await {
            Ok(answer) => answer,
            Err(error) if error.code.as_deref() == Some("RepositoryNotFoundException") => {
                return same(ids, &Observed::Absent);
            }
            Err(error) => return same(ids, &observed(Err(error))),
        };
        let of = |id: &ResourceId| {
            if let Some(image) = answer.images().iter().find(|image| is_it(image.image_id(), &id.name)) {
                return pushed(image);
            }
            let failure = answer.failures().iter().find(|failure| is_it(failure.image_id(), &id.name));
            match failure.map(|failure| (failure.failure_code(), failure.failure_reason())) {
                Some((Some(ImageFailureCode::ImageNotFound), _)) => Observed::Absent,
                Some((_, reason)) => {
                    Observed::Unknown { why: format!("{OPERATION}: {}", reason.unwrap_or("it does not say why")) }
                }
                None => Observed::Unknown { why: format!("{OPERATION}: the answer leaves it out") },
            }
        };
        ids.iter().map(|id| (id.clone(), of(id))).collect()
    }
}

/// By digest where the name has one: it decides.
fn identifier(name: &str) -> ImageIdentifier {
    let image = EcrImage::of(name);
    let digest = image.and_then(|image| image.digest).map(str::to_owned);
    let tag = image.filter(|image| image.digest.is_none()).map(|image| image.tag.to_owned());
    ImageIdentifier::builder().set_image_digest(digest).set_image_tag(tag).build()
}

fn is_it(found: Option<&ImageIdentifier>, name: &str) -> bool {
    let asked = identifier(name);
    found.is_some_and(|found| match asked.image_tag() {
        Some(tag) => found.image_tag() == Some(tag),
        None => found.image_digest() == asked.image_digest(),
    })
}

fn pushed(image: &Image) -> Observed {
    let Some(digest) = image.image_id().and_then(ImageIdentifier::image_digest) else {
        return Observed::Unknown { why: format!("{OPERATION}: the answer has no digest") };
    };
    // An image for several platforms: "manifests" of an OCI image index, and of Docker's manifest list.
    let manifest: Value = image.image_manifest().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let platforms = manifest.get("manifests").and_then(Value::as_array).into_iter().flatten();
    let platforms = platforms.filter_map(|platform| Some(platform.get("digest")?.as_str()?.to_owned())).collect();
    let facts = Facts::Image(Pushed { digest: digest.to_owned(), platforms });
    Observed::Present(Arc::new(Live { facts, ..Live::default() }))
}
