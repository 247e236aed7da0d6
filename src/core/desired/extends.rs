//! `extends`: shared pieces laid under a file. Paths are relative to the file that names them.

use super::Cached;
use crate::core::document::check::expected;
use crate::core::document::merge::merge_sections;
use crate::core::document::read::read as read_text;
use crate::core::document::{Node, Place, Tree};
use crate::core::id::RepoPath;
use crate::core::problem::{self, Problem};
use crate::core::shape::Shape;
use std::collections::BTreeSet;

/// How deep pieces may extend pieces: more is a mistake, not a structure.
const DEPTH_MAX: usize = 16;

/// Reads files and lays what they extend under them.
pub struct Reader<'r, 'f> {
    pub files: &'r mut Cached<'f>,
    /// Every path that was looked for.
    pub inputs: BTreeSet<RepoPath>,
    pub section: &'r dyn Fn(&str) -> Option<Shape>,
}

impl Reader<'_, '_> {
    /// The file's node without extends; a problem stands for a file that cannot be read.
    pub fn file(&mut self, path: &RepoPath, named_at: Option<&Place>) -> Result<Node, Problem> {
        self.inputs.insert(path.clone());
        match self.files.read(path)? {
            Some(text) => read_text(path, &text),
            None => {
                let place = named_at.cloned().unwrap_or_else(|| Place::file(path.clone()));
                let problem =
                    Problem::error(problem::NO_FILE, &place, format!("there is no file {path} in the commit"));
                Err(problem.help("the path is relative to the file that names it"))
            }
        }
    }

    /// The file with everything it extends under it.
    pub fn extended(&mut self, path: &RepoPath) -> Result<Node, Problem> {
        let node = self.file(path, None)?;
        self.extend(node, &mut vec![path.clone()])
    }

    fn extend(&mut self, mut node: Node, chain: &mut Vec<RepoPath>) -> Result<Node, Problem> {
        if !matches!(node.tree, Tree::Map(_)) {
            return Err(expected(&node, "a mapping"));
        }
        let Some(entry) = node.take("extends") else { return Ok(node) };
        let names: Vec<&Node> = match &entry.node.tree {
            Tree::Text(_) => vec![&entry.node],
            Tree::List(items) => items.iter().collect(),
            _ => return Err(expected(&entry.node, "a path or a list of paths")),
        };
        let mut merged: Option<Node> = None;
        for name in names {
            let path = self.path(name)?;
            if chain.contains(&path) || chain.len() >= DEPTH_MAX {
                let message = format!("{path} extends itself, by way of {}", chain[chain.len() - 1]);
                return Err(Problem::error(problem::EXTENDS_CYCLE, &name.place, message));
            }
            let base = self.file(&path, Some(&name.place))?;
            chain.push(path);
            let base = self.extend(base, chain)?;
            chain.pop();
            merged = Some(match merged {
                Some(under) => merge_sections(under, &base, self.section),
                None => base,
            });
        }
        Ok(match merged {
            Some(base) => merge_sections(base, &node, self.section),
            None => node,
        })
    }

    /// The path that a scalar names, relative to the file it is written in.
    pub fn path(&self, name: &Node) -> Result<RepoPath, Problem> {
        let Some(text) = name.as_text() else { return Err(expected(name, "a path")) };
        name.place.file.parent().join(text).ok_or_else(|| {
            let message = format!("{text} leaves the repository");
            Problem::error(problem::OUTSIDE, &name.place, message)
                .help("paths are relative to the file that names them and stay inside the repository")
        })
    }
}
