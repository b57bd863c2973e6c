//! The functions of an instance: found by its tags, named as people name them.

use super::context::Context;
use super::instances;
use super::prepare::flags;
use super::select::LabArg;
use crate::aws::functions::FUNCTION;
use crate::aws::stacks::StackResource;
use crate::aws::{Aws, Need};
use crate::error::Failure;
use crate::plan::Instance;
use crate::template::problem::nearest;
use futures_util::future::try_join_all;

/// An instance that is there, and its functions.
pub(crate) struct Functions {
    pub(crate) aws: Aws,
    pub(crate) instance: Instance,
    all: Vec<Function>,
    /// The one function of the manifest, if it has one only: what is meant where none is named.
    main: Option<String>,
    /// The lab and the flags, as they have to be typed again.
    typed: String,
}

/// One function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name within the lab: `superheroes`.
    pub(crate) name: String,
    /// Its name in Lambda: `superheroes-dev-superheroes`.
    pub(crate) full: String,
    /// Its name in the template: `Superheroes`.
    resource: String,
}

impl Function {
    fn of(resource: StackResource, instance: &Instance) -> Function {
        let name = resource.id.strip_prefix(&instance.prefix()).unwrap_or(&resource.id).to_owned();
        Function { name, full: resource.id, resource: resource.resource }
    }

    fn is(&self, name: &str) -> bool {
        [&self.name, &self.full, &self.resource].into_iter().any(|own| own == name)
    }
}

impl Functions {
    pub(crate) async fn of(cx: &Context, lab: &LabArg) -> Result<Functions, Failure> {
        let instance = lab.instance(cx)?;
        let aws = cx.aws(Need::Visit).await?;
        let stacks = instances::there(&aws, lab, &instance).await?;
        let resources = try_join_all(stacks.values().map(|stack| aws.stack_resources(&stack.id))).await;
        let resources = resources.map_err(|error| instances::unseen(&aws, error))?.into_iter().flatten();
        let there = resources.filter(|resource| resource.kind == FUNCTION && !resource.id.is_empty());
        let mut all: Vec<Function> = there.map(|resource| Function::of(resource, &instance)).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        // A lab whose manifest is not at hand can be worked with all the same.
        let manifest = if all.len() > 1 { lab.load().ok() } else { None };
        let mut names = manifest.iter().flat_map(|lab| lab.manifest.functions.keys());
        let main = names.next().cloned().filter(|_| names.next().is_none());
        // A function can only be named after the lab.
        let named = lab.lab.as_ref().map_or_else(|| " .".to_owned(), |_| lab.typed());
        let typed = format!("{named}{}", flags(cx, &aws));
        Ok(Functions { aws, instance, all, main, typed })
    }

    /// The function that is named, or the only one.
    pub(crate) fn one(&self, named: Option<&str>) -> Result<&Function, Failure> {
        let named = named.or(self.main.as_deref().filter(|main| self.all.iter().any(|function| function.is(main))));
        match (named, self.all.as_slice()) {
            (Some(name), _) => Ok(self.several(&[name.to_owned()])?[0]),
            (None, [one]) => Ok(one),
            (None, []) => Err(self.none()),
            (None, several) => {
                let failure =
                    Failure::usage(format!("lab `{}` has {} functions: name one", self.instance.lab, several.len()));
                let command = |function: &Function| format!("labctl invoke{} {}", self.typed, function.name);
                Err(several.iter().fold(failure, |failure, function| failure.hint(command(function))))
            }
        }
    }

    /// The functions that are named, or all.
    pub(crate) fn several(&self, named: &[String]) -> Result<Vec<&Function>, Failure> {
        if self.all.is_empty() {
            return Err(self.none());
        }
        if named.is_empty() {
            return Ok(self.all.iter().collect());
        }
        let found =
            |name: &String| self.all.iter().find(|function| function.is(name)).ok_or_else(|| self.unknown(name));
        let (mut functions, mut problems) = (Vec::new(), Vec::new());
        for name in named {
            match found(name) {
                Ok(function) if functions.contains(&function) => {}
                Ok(function) => functions.push(function),
                Err(problem) => problems.push(problem),
            }
        }
        match problems.is_empty() {
            true => Ok(functions),
            false => Err(Failure::usage("cannot find these functions").with_problems(problems)),
        }
    }

    fn none(&self) -> Failure {
        let failure = Failure::usage(format!("no function of {} is deployed", self.instance));
        failure.hint(format!("what is missing comes with: labctl up{}", self.typed))
    }

    fn unknown(&self, name: &str) -> String {
        match nearest(name, self.all.iter().map(|function| function.name.as_str())) {
            Some(near) => format!("no function is called `{name}` (did you mean `{near}`?)"),
            None => {
                let names: Vec<&str> = self.all.iter().map(|function| function.name.as_str()).collect();
                format!("no function is called `{name}` (there are: {})", names.join(", "))
            }
        }
    }
}
