//! `driftless render`

use super::load::load;
use super::{Exit, Output, Where};
use crate::core::desired::Declared;
use crate::core::document::{Node, Tree, pointer};
use clap::Args;
use serde_json::{Map, Value, json};

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    place: Where,
    /// The form of the output: YAML for people, or JSON
    #[arg(long, value_enum, default_value = "human")]
    output: Output,
    /// Say where each value comes from
    #[arg(long)]
    places: bool,
}

pub async fn run(options: Options) -> anyhow::Result<Exit> {
    let loaded = load(&options.place).await?;
    loaded.print_problems();
    let desired = loaded.desired()?;
    let services = loaded.services(&options.place.services)?;
    let declared = services.iter().filter_map(|name| desired.services.get(name));
    if options.places {
        for declared in declared {
            println!("# {}", declared.name);
            for (section, node) in sections(declared) {
                print_places(&format!("/{section}"), &node);
            }
        }
    } else {
        let whole = declared.map(|declared| {
            let sections = sections(declared).into_iter().map(|(name, node)| (name, node.to_value()));
            (declared.name.to_string(), Value::Object(sections.into_iter().collect()))
        });
        let document = json!({ "services": Value::Object(whole.collect::<Map<_, _>>()) });
        match options.output {
            Output::Json => println!("{document:#}"),
            Output::Human => print!("{}", serde_saphyr::to_string(&document)?),
        }
    }
    Ok(if loaded.has_errors() { Exit::Error } else { Exit::Ok })
}

/// What is declared, by section: the inputs of AWS's operations with everything that is implied.
fn sections(declared: &Declared) -> Vec<(String, Node)> {
    let mut sections = Vec::new();
    if let Some(workload) = &declared.workload {
        sections.push(("taskDefinition".to_owned(), workload.task_definition.clone()));
        sections.push(("service".to_owned(), workload.service.clone()));
    }
    for resource in &declared.resources {
        let mut node = resource.input.clone();
        if let Some(attributes) = &resource.attributes {
            node.set("attributes", attributes.clone());
        }
        sections.push((resource.path.to_string(), node));
    }
    sections
}

fn print_places(at: &str, node: &Node) {
    match &node.tree {
        Tree::Map(entries) => entries.iter().for_each(|entry| print_places(&pointer(at, &entry.key), &entry.node)),
        Tree::List(items) => {
            items.iter().enumerate().for_each(|(i, item)| print_places(&pointer(at, &i.to_string()), item));
        }
        Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) | Tree::Template(_) => {
            println!("{at} = {}  # {}", node.to_value(), node.place);
        }
    }
}
