//! Identity, images, secrets, parameters and stacks.

use super::{Image, image, push, secret_exists, stack};
use crate::sim::world::{Answer, World};
use serde_json::{Value, json};

const REGISTRY: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";

fn world() -> World {
    World::new("123456789012", "us-east-1", "2026-03-02T08:00:00Z".parse().unwrap(), 7)
}

fn said(answer: Answer) -> String {
    answer.map_or_else(|refusal| format!("{}: {}", refusal.code, refusal.message), |_| String::new())
}

#[test]
fn images_are_found_by_tag_and_digest() {
    let mut world = world();
    let (one, two) = (format!("sha256:{:064}", 1), format!("sha256:{:064}", 2));
    push(&mut world, "shop/web", "v1", &one);
    push(&mut world, "shop/web", "latest", &one);
    push(&mut world, "shop/web", "latest", &two);
    let found = |digest: &str| Image::Digest(digest.to_owned());
    let rows = [
        ("nginx:latest".to_owned(), Image::Unknown),
        ("999999999999.dkr.ecr.us-east-1.amazonaws.com/shop/web".to_owned(), Image::Unknown),
        (format!("{REGISTRY}/shop/web"), found(&two)),
        (format!("{REGISTRY}/shop/web:latest"), found(&two)),
        (format!("{REGISTRY}/shop/web:v1"), found(&one)),
        (format!("{REGISTRY}/shop/web:v2"), Image::Missing),
        (format!("{REGISTRY}/shop/web@{one}"), found(&one)),
        (format!("{REGISTRY}/shop/web:latest@{one}"), found(&one)),
        (format!("{REGISTRY}/shop/web@sha256:{:064}", 3), Image::Missing),
        (format!("{REGISTRY}/shop/api:v1"), Image::Missing),
    ];
    for (reference, expected) in rows {
        assert_eq!(image(&world, &reference), expected, "{reference}");
    }
    let ecr = |world: &mut World, operation: &str, input: Value| world.answer("ecr", operation, &input);
    let all = ecr(&mut world, "DescribeImages", json!({ "repositoryName": "shop/web" })).unwrap();
    let tags: Vec<_> = all["imageDetails"].as_array().unwrap().iter().map(|image| image["imageTags"].clone()).collect();
    assert_eq!(tags, [json!(["v1"]), json!(["latest"])], "the tag moved, the image stays");
    let ids = json!({ "repositoryName": "shop/web", "imageIds": [{ "imageTag": "v9" }] });
    assert_eq!(
        said(ecr(&mut world, "DescribeImages", ids.clone())),
        "ImageNotFoundException: The image with imageId {imageDigest:'null', imageTag:'v9'} does not exist within the \
         repository with name 'shop/web' in the registry with id '123456789012'"
    );
    let batch = ecr(&mut world, "BatchGetImage", ids).unwrap();
    assert_eq!(batch["failures"][0]["failureCode"], "ImageNotFound");
    let immutable = json!({ "repositoryName": "base", "imageTagMutability": "IMMUTABLE" });
    ecr(&mut world, "CreateRepository", immutable).unwrap();
    let put = |manifest: &str| json!({ "repositoryName": "base", "imageTag": "v1", "imageManifest": manifest });
    ecr(&mut world, "PutImage", put("a")).unwrap();
    assert!(said(ecr(&mut world, "PutImage", put("a"))).starts_with("ImageAlreadyExistsException"));
    assert!(said(ecr(&mut world, "PutImage", put("b"))).starts_with("ImageTagAlreadyExistsException"));
    assert!(matches!(image(&world, &format!("{REGISTRY}/base:v1")), Image::Digest(digest) if digest.len() == 71));
}

#[test]
fn secrets_and_parameters_exist_or_not() {
    let mut world = world();
    let call = |world: &mut World, operation: &str, input: Value| world.answer("secretsmanager", operation, &input);
    let made = json!({ "Name": "shop/db", "SecretString": "hidden", "ClientRequestToken": "token-1" });
    let arn = call(&mut world, "CreateSecret", made).unwrap()["ARN"].as_str().unwrap().to_owned();
    let bare = arn.rsplit_once('-').unwrap().0.to_owned();
    call(
        &mut world,
        "PutSecretValue",
        json!({ "SecretId": arn, "SecretString": "new", "ClientRequestToken": "token-2" }),
    )
    .unwrap();
    let ssm = |world: &mut World, operation: &str, input: Value| world.answer("ssm", operation, &input);
    ssm(&mut world, "PutParameter", json!({ "Name": "/shop/url", "Value": "http://a", "Type": "String" })).unwrap();
    let parameter = "arn:aws:ssm:us-east-1:123456789012:parameter";
    let rows = [
        (arn.clone(), true),
        (bare.clone(), true),
        (format!("{bare}:password::"), true),
        (format!("{arn}::AWSPREVIOUS:"), true),
        (format!("{arn}::AWSPENDING:"), false),
        (format!("{arn}:::token-1"), true),
        (format!("{arn}:::token-3"), false),
        (bare.replace("shop/db", "shop/cache"), false),
        (bare.replace("us-east-1", "eu-west-1"), true),
        ("/shop/url".to_owned(), true),
        ("shop/url".to_owned(), false),
        (format!("{parameter}/shop/url"), true),
        (format!("{parameter}/shop/name"), false),
        ("arn:aws:s3:us-east-1:123456789012:bucket".to_owned(), false),
    ];
    for (value_from, expected) in rows {
        assert_eq!(secret_exists(&world, &value_from), expected, "{value_from}");
    }
    let shown = call(&mut world, "DescribeSecret", json!({ "SecretId": "shop/db" })).unwrap();
    assert_eq!(shown["VersionIdsToStages"], json!({ "token-1": ["AWSPREVIOUS"], "token-2": ["AWSCURRENT"] }));
    assert!(!format!("{:?}", world.names).contains("hidden"), "values are not kept");
    assert!(said(call(&mut world, "GetSecretValue", json!({ "SecretId": arn }))).starts_with("UnknownOperation"));
    call(&mut world, "DeleteSecret", json!({ "SecretId": "shop/db" })).unwrap();
    assert!(!secret_exists(&world, &arn));
    let shown = call(&mut world, "DescribeSecret", json!({ "SecretId": arn })).unwrap();
    assert!(shown["DeletedDate"].is_object());
}

#[test]
fn parameters_and_stacks_are_looked_up() {
    let mut world = world();
    let ssm = |world: &mut World, operation: &str, input: Value| world.answer("ssm", operation, &input);
    let rows = [
        (
            json!({ "Name": "/a", "Value": "1" }),
            "ValidationException: A parameter type is required when you create a parameter.",
        ),
        (json!({ "Name": "/a", "Value": "1", "Type": "String" }), ""),
        (json!({ "Name": "/a", "Value": "2", "Overwrite": true }), ""),
        (json!({ "Name": "/a/b", "Value": "hidden", "Type": "SecureString" }), ""),
    ];
    for (input, expected) in rows {
        assert_eq!(said(ssm(&mut world, "PutParameter", input)), expected);
    }
    let again = said(ssm(&mut world, "PutParameter", json!({ "Name": "/a", "Value": "3" })));
    assert!(again.starts_with("ParameterAlreadyExists"), "{again}");
    for (name, expected) in [("/a", "2"), ("/a:1", "1"), ("arn:aws:ssm:us-east-1:123456789012:parameter/a", "2")] {
        let found = ssm(&mut world, "GetParameter", json!({ "Name": name })).unwrap();
        assert_eq!(found["Parameter"]["Value"], expected, "{name}");
    }
    assert_eq!(said(ssm(&mut world, "GetParameter", json!({ "Name": "a" }))), "ParameterNotFound: ");
    assert!(!format!("{:?}", world.names).contains("hidden"));
    for (option, expected) in [("Equals", 1), ("BeginsWith", 2), ("Contains", 2)] {
        let filters = json!({ "ParameterFilters": [{ "Key": "Name", "Option": option, "Values": ["/a"] }] });
        let found = ssm(&mut world, "DescribeParameters", filters).unwrap();
        assert_eq!(found["Parameters"].as_array().unwrap().len(), expected, "{option}");
    }
    stack(&mut world, "network", &[("Vpc", "vpc-1"), ("Subnets", "a,b")]);
    let describe =
        |world: &mut World, name: &str| world.answer("cloudformation", "DescribeStacks", &json!({ "StackName": name }));
    let found = describe(&mut world, "network").unwrap();
    assert_eq!(found["Stacks"][0]["Outputs"][0], json!({ "OutputKey": "Vpc", "OutputValue": "vpc-1" }));
    assert_eq!(said(describe(&mut world, "other")), "ValidationError: Stack with id other does not exist");
    let identity = world.answer("sts", "GetCallerIdentity", &json!({})).unwrap();
    assert_eq!(identity["Account"], "123456789012");
}
