//! ECR: repositories and their images. A tag that moves leaves the image that had it behind.

use crate::sim::wire::time;
use crate::sim::world::input::{Pages, list, required, text, texts};
use crate::sim::world::{Answer, Refusal, World};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Image ids and repository names that one call takes.
const IDS_MAX: usize = 100;

/// What is known of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Image {
    /// Not in a registry of this account and region: taken to be there.
    Unknown,
    /// No such repository, tag or digest.
    Missing,
    /// Its digest.
    Digest(String),
}

/// A repository.
#[derive(Debug, Clone)]
pub struct Repository {
    /// As DescribeRepositories answers it.
    document: Value,
    /// The oldest first.
    images: Vec<Pushed>,
}

#[derive(Debug, Clone)]
struct Pushed {
    digest: String,
    tags: Vec<String>,
    manifest: String,
    at: Timestamp,
}

impl Repository {
    /// By digest, by tag, or by both, which have to belong together.
    fn find(&self, digest: Option<&str>, tag: Option<&str>) -> Option<&Pushed> {
        let fits = |image: &&Pushed| {
            digest.is_none_or(|digest| image.digest == digest)
                && tag.is_none_or(|tag| image.tags.iter().any(|known| known == tag))
        };
        if digest.is_none() && tag.is_none() { None } else { self.images.iter().find(fits) }
    }
}

/// Pushes an image, whatever the repository says of tags that move; makes the repository when it is not there.
pub fn push(world: &mut World, repository: &str, tag: &str, digest: &str) {
    if !world.names.repositories.contains_key(repository) {
        make(world, repository, &json!({}));
    }
    put(world, repository, Some(tag), digest, &json!({ "schemaVersion": 2, "mediaType": MANIFEST }).to_string());
}

fn put(world: &mut World, repository: &str, tag: Option<&str>, digest: &str, manifest: &str) {
    let at = world.now();
    let Some(repository) = world.names.repositories.get_mut(repository) else { return };
    if let Some(tag) = tag {
        repository.images.iter_mut().for_each(|image| image.tags.retain(|known| known != tag));
    }
    let tags = tag.map(str::to_owned);
    match repository.images.iter_mut().find(|image| image.digest == digest) {
        Some(known) => known.tags.extend(tags),
        None => {
            let (digest, tags, manifest) = (digest.to_owned(), tags.into_iter().collect(), manifest.to_owned());
            repository.images.push(Pushed { digest, tags, manifest, at });
        }
    }
}

/// What is known of the image that a container definition names: `ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPO`, then
/// `:TAG`, `@sha256:…` or both; without either it is `:latest`. With both the digest decides.
pub fn image(world: &World, reference: &str) -> Image {
    let registry = format!("{}.dkr.ecr.{}.amazonaws.com/", world.account, world.region);
    let Some(rest) = reference.strip_prefix(&registry) else { return Image::Unknown };
    let (name, digest) = rest.split_once('@').map_or((rest, None), |(name, digest)| (name, Some(digest)));
    let (repository, tag) = name.split_once(':').unwrap_or((name, "latest"));
    let tag = digest.is_none().then_some(tag);
    let found = world.names.repositories.get(repository).and_then(|repository| repository.find(digest, tag));
    found.map_or(Image::Missing, |image| Image::Digest(image.digest.clone()))
}

/// Answers an operation.
pub fn answer(world: &mut World, operation: &str, input: &Value) -> Option<Answer> {
    Some(match operation {
        "CreateRepository" => create(world, input),
        "DescribeRepositories" => describe_repositories(world, input),
        "PutImage" => put_image(world, input),
        "DescribeImages" => describe_images(world, input),
        "BatchGetImage" => get_images(world, input),
        _ => return None,
    })
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidParameterException", message)
}

fn page(into: &str, items: Vec<Value>, input: &Value) -> Answer {
    let (token, size, code) = ("nextToken", "maxResults", "InvalidParameterException");
    Pages { into, token, next: token, size, usual: 100, most: 1000, code }.page(items, input)
}

fn few(input: &Value, name: &str) -> Result<(), Refusal> {
    let fits = list(input, name).len() <= IDS_MAX;
    if fits { Ok(()) } else { Err(invalid(format!("{name} must have length less than or equal to {IDS_MAX}"))) }
}

/// CreateRepository.
fn create(world: &mut World, input: &Value) -> Answer {
    let name = required(input, "repositoryName", "InvalidParameterException")?;
    let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "._-/".contains(letter);
    if !(2..=256).contains(&name.len()) || !name.chars().all(fits) || !name.starts_with(|c: char| c.is_alphanumeric()) {
        return Err(invalid(format!("Invalid parameter at 'repositoryName' failed to satisfy constraint: '{name}'")));
    }
    if world.names.repositories.contains_key(name) {
        let account = &world.account;
        let message = format!("The repository with name '{name}' already exists in the registry with id '{account}'");
        return Err(Refusal::new("RepositoryAlreadyExistsException", message));
    }
    Ok(json!({ "repository": make(world, name, input) }))
}

fn make(world: &mut World, name: &str, input: &Value) -> Value {
    let World { account, region, .. } = world;
    let or = |member: &str, usual: Value| input.get(member).filter(|value| !value.is_null()).cloned().unwrap_or(usual);
    let document = json!({
        "repositoryArn": format!("arn:aws:ecr:{region}:{account}:repository/{name}"), "registryId": account,
        "repositoryName": name, "repositoryUri": format!("{account}.dkr.ecr.{region}.amazonaws.com/{name}"),
        "createdAt": time(world.now()), "imageTagMutability": or("imageTagMutability", json!("MUTABLE")),
        "imageScanningConfiguration": or("imageScanningConfiguration", json!({ "scanOnPush": false })),
        "encryptionConfiguration": or("encryptionConfiguration", json!({ "encryptionType": "AES256" })),
    });
    let repository = Repository { document: document.clone(), images: Vec::new() };
    world.names.repositories.insert(name.to_owned(), repository);
    document
}

fn repository<'w>(world: &'w World, input: &Value, name: &str) -> Result<&'w Repository, Refusal> {
    let registry = text(input, "registryId").unwrap_or(&world.account);
    let found = world.names.repositories.get(name).filter(|_| registry == world.account);
    found.ok_or_else(|| {
        let message = format!("The repository with name '{name}' does not exist in the registry with id '{registry}'");
        Refusal::new("RepositoryNotFoundException", message)
    })
}

/// DescribeRepositories.
fn describe_repositories(world: &World, input: &Value) -> Answer {
    few(input, "repositoryNames")?;
    let named: Vec<_> =
        texts(input, "repositoryNames").map(|name| repository(world, input, name)).collect::<Result<_, _>>()?;
    let found: Vec<_> = if named.is_empty() { world.names.repositories.values().collect() } else { named };
    page("repositories", found.into_iter().map(|repository| repository.document.clone()).collect(), input)
}

/// PutImage: the digest is that of the manifest.
fn put_image(world: &mut World, input: &Value) -> Answer {
    let name = required(input, "repositoryName", "InvalidParameterException")?;
    let manifest = required(input, "imageManifest", "InvalidParameterException")?;
    let tag = text(input, "imageTag");
    let hash: String = Sha256::digest(manifest).iter().map(|byte| format!("{byte:02x}")).collect();
    let digest = format!("sha256:{hash}");
    if text(input, "imageDigest").is_some_and(|given| given != digest) {
        let message = "The specified image digest does not match the digest that Amazon ECR calculated for the image.";
        return Err(Refusal::new("ImageDigestDoesNotMatchException", message));
    }
    let repository = repository(world, input, name)?;
    let holder = tag.and_then(|tag| repository.find(None, Some(tag)));
    if repository.find(Some(&digest), tag).is_some() {
        let tag = tag.unwrap_or("null");
        let message = format!("Image with digest '{digest}' and tag '{tag}' already exists in the repository '{name}'");
        return Err(Refusal::new("ImageAlreadyExistsException", message));
    }
    if holder.is_some() && repository.document["imageTagMutability"] == "IMMUTABLE" {
        let message = format!(
            "The image tag '{}' already exists in the '{name}' repository and cannot be overwritten \
             because the repository is immutable.",
            tag.unwrap_or_default()
        );
        return Err(Refusal::new("ImageTagAlreadyExistsException", message));
    }
    put(world, name, tag, &digest, manifest);
    let mut id = json!({ "imageDigest": digest });
    if let Some(tag) = tag {
        id["imageTag"] = json!(tag);
    }
    Ok(json!({ "image": {
        "registryId": world.account, "repositoryName": name, "imageId": id, "imageManifest": manifest,
        "imageManifestMediaType": text(input, "imageManifestMediaType").unwrap_or(MANIFEST),
    } }))
}

/// DescribeImages: all of a repository, or those that are named, each of which has to be there.
fn describe_images(world: &World, input: &Value) -> Answer {
    few(input, "imageIds")?;
    let name = required(input, "repositoryName", "InvalidParameterException")?;
    let repository = repository(world, input, name)?;
    let ids = list(input, "imageIds");
    let mut found: Vec<&Pushed> = Vec::new();
    for id in ids {
        let (digest, tag) = (text(id, "imageDigest"), text(id, "imageTag"));
        let image = repository.find(digest, tag).ok_or_else(|| {
            let said = |value: Option<&str>| value.unwrap_or("null").to_owned();
            let message = format!(
                "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the \
             repository with name '{name}' in the registry with id '{}'",
                said(digest),
                said(tag),
                world.account
            );
            Refusal::new("ImageNotFoundException", message)
        })?;
        if !found.iter().any(|known| known.digest == image.digest) {
            found.push(image);
        }
    }
    if ids.is_empty() {
        let status = text(&input["filter"], "tagStatus").unwrap_or("ANY");
        let fits = |image: &&Pushed| status == "ANY" || (status == "TAGGED") != image.tags.is_empty();
        found = repository.images.iter().filter(fits).collect();
    }
    let shown = found.into_iter().map(|image| {
        let mut shown = json!({
            "registryId": world.account, "repositoryName": name, "imageDigest": image.digest,
            "imageSizeInBytes": image.manifest.len(), "imagePushedAt": time(image.at),
            "imageManifestMediaType": MANIFEST, "imageStatus": "ACTIVE",
        });
        if !image.tags.is_empty() {
            shown["imageTags"] = json!(image.tags);
        }
        shown
    });
    page("imageDetails", shown.collect(), input)
}

/// BatchGetImage: what is not there is a failure in the answer.
fn get_images(world: &World, input: &Value) -> Answer {
    few(input, "imageIds")?;
    let name = required(input, "repositoryName", "InvalidParameterException")?;
    let repository = repository(world, input, name)?;
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    for id in list(input, "imageIds") {
        let (digest, tag) = (text(id, "imageDigest"), text(id, "imageTag"));
        let Some(image) = repository.find(digest, tag) else {
            let failure = match (digest, tag) {
                (None, None) => {
                    ("MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null")
                }
                _ => ("ImageNotFound", "Requested image not found"),
            };
            failures.push(json!({ "imageId": id, "failureCode": failure.0, "failureReason": failure.1 }));
            continue;
        };
        let mut id = id.clone();
        id["imageDigest"] = json!(image.digest);
        images.push(json!({
            "registryId": world.account, "repositoryName": name, "imageId": id, "imageManifest": image.manifest,
            "imageManifestMediaType": MANIFEST,
        }));
    }
    Ok(json!({ "images": images, "failures": failures }))
}
