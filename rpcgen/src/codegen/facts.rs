//! What follows from a type's parts: what it can derive, where it needs a box.
//!
//! Knows: which type holds which. Does not know: tokens.

use crate::model::{Field, Model, Type, TypeId, TypeKind};

/// What follows from the parts of each type of a model, by [`TypeId`].
pub(super) struct Facts {
    /// A float (or a type that we do not see into) is somewhere in it: no `Eq`, `Hash`, `Ord`.
    inexact: Vec<bool>,
    /// Something that is not `Copy` is in it.
    not_copy: Vec<bool>,
    /// Some value of it breaks a limit: there is a `@max` in it, it holds itself (nesting has a limit), or we do not see into it.
    limited: Vec<bool>,
    /// Types that hold each other by value have the same number.
    cycle: Vec<usize>,
}

impl Facts {
    pub(super) fn new(model: &Model) -> Self {
        let count = model.types.len();
        let mut held = vec![Vec::new(); count];
        let mut held_by_value = vec![Vec::new(); count];
        let mut holders = vec![Vec::new(); count];
        let mut holders_by_value = vec![Vec::new(); count];
        let mut inexact = vec![false; count];
        let mut not_copy = vec![false; count];
        let mut limited = vec![false; count];
        for (index, def) in model.types.iter().enumerate() {
            not_copy[index] = match &def.kind {
                TypeKind::Struct { fixed, .. } => !fixed,
                TypeKind::Enum { variants } => variants.iter().any(|variant| !variant.fields.is_empty()),
                TypeKind::Alias { .. } => false,
                TypeKind::External { .. } => true,
            };
            inexact[index] = matches!(def.kind, TypeKind::External { .. });
            limited[index] = inexact[index];
            each_type(&def.kind, &mut |ty, by_value| {
                limited[index] |= has_limit(ty);
                match ty {
                    Type::F32 | Type::F64 => inexact[index] = true,
                    Type::String { .. } | Type::Bytes { .. } | Type::List { .. } | Type::Map { .. } => {
                        not_copy[index] = true
                    }
                    Type::Named(id) => {
                        let part = id.0 as usize;
                        held[index].push(part);
                        holders[part].push(index);
                        if by_value {
                            held_by_value[index].push(part);
                            holders_by_value[part].push(index);
                        }
                    }
                    _ => {}
                }
            });
        }
        let cycle = cycles(&held_by_value, &holders_by_value);
        // A box is not `Copy`.
        mark_recursive(&mut not_copy, &held_by_value, &cycle);
        mark_recursive(&mut limited, &held, &cycles(&held, &holders));
        spread(&mut inexact, &holders);
        spread(&mut not_copy, &holders_by_value);
        spread(&mut limited, &holders);
        Self { inexact, not_copy, limited, cycle }
    }

    /// Whether a value of this type equals itself: `Eq`, `Hash` and `Ord` can be derived.
    pub(super) fn is_exact(&self, id: TypeId) -> bool {
        !self.inexact[id.0 as usize]
    }

    pub(super) fn are_exact(&self, fields: &[Field]) -> bool {
        fields.iter().all(|field| {
            let mut exact = true;
            walk(&field.ty, true, &mut |ty, _| match ty {
                Type::F32 | Type::F64 => exact = false,
                Type::Named(id) => exact &= self.is_exact(*id),
                _ => {}
            });
            exact
        })
    }

    /// Whether some values of these fields break a limit.
    pub(super) fn are_limited<'a>(&self, fields: impl IntoIterator<Item = &'a Field>) -> bool {
        fields.into_iter().any(|field| {
            let mut limited = false;
            walk(&field.ty, true, &mut |ty, _| {
                limited |= has_limit(ty) || matches!(ty, Type::Named(id) if self.limited[id.0 as usize]);
            });
            limited
        })
    }

    /// Whether the named type is `Copy`.
    pub(super) fn is_copy(&self, id: TypeId) -> bool {
        !self.not_copy[id.0 as usize]
    }

    /// Whether values of this type are `Copy`.
    pub(super) fn type_is_copy(&self, ty: &Type) -> bool {
        let mut copy = true;
        walk(ty, true, &mut |ty, _| match ty {
            Type::String { .. } | Type::Bytes { .. } | Type::List { .. } | Type::Map { .. } => copy = false,
            Type::Named(id) => copy &= self.is_copy(*id),
            _ => {}
        });
        copy
    }

    /// Whether `part`, held by value in `owner`, holds `owner` by value: then it stands in a box.
    pub(super) fn needs_box(&self, owner: TypeId, part: TypeId) -> bool {
        self.cycle[owner.0 as usize] == self.cycle[part.0 as usize]
    }
}

fn has_limit(ty: &Type) -> bool {
    match ty {
        Type::String { max } | Type::Bytes { max } | Type::List { max, .. } | Type::Map { max, .. } => max.is_some(),
        _ => false,
    }
}

/// Gives a mark to each node that reaches itself.
fn mark_recursive(marks: &mut [bool], edges: &[Vec<usize>], cycle: &[usize]) {
    for (index, parts) in edges.iter().enumerate() {
        marks[index] |= parts.iter().any(|part| cycle[*part] == cycle[index]);
    }
}

/// Calls `found` with each type in a type's declaration, and whether it is held by value.
fn each_type(kind: &TypeKind, found: &mut impl FnMut(&Type, bool)) {
    match kind {
        TypeKind::Struct { fields, .. } => fields.iter().for_each(|field| walk(&field.ty, true, found)),
        TypeKind::Enum { variants } => {
            variants.iter().flat_map(|variant| &variant.fields).for_each(|field| walk(&field.ty, true, found));
        }
        TypeKind::Alias { target } => walk(target, true, found),
        TypeKind::External { .. } => {}
    }
}

fn walk(ty: &Type, by_value: bool, found: &mut impl FnMut(&Type, bool)) {
    found(ty, by_value);
    match ty {
        Type::Optional(content) => walk(content, by_value, found),
        Type::Array { element, .. } => walk(element, by_value, found),
        Type::List { element, .. } => walk(element, false, found),
        Type::Map { key, value, .. } => {
            walk(key, false, found);
            walk(value, false, found);
        }
        _ => {}
    }
}

/// Gives a mark to everything that can be reached over `edges` from what has it.
fn spread(marks: &mut [bool], edges: &[Vec<usize>]) {
    let mut open: Vec<usize> = (0..marks.len()).filter(|index| marks[*index]).collect();
    while let Some(from) = open.pop() {
        for &to in &edges[from] {
            if !marks[to] {
                marks[to] = true;
                open.push(to);
            }
        }
    }
}

/// A number per node; nodes that reach each other have the same one (Kosaraju's two passes, without recursion).
fn cycles(edges: &[Vec<usize>], reversed: &[Vec<usize>]) -> Vec<usize> {
    let mut seen = vec![false; edges.len()];
    let mut finished = Vec::with_capacity(edges.len());
    for start in 0..edges.len() {
        if seen[start] {
            continue;
        }
        seen[start] = true;
        let mut open = vec![(start, 0)];
        while let Some((node, next)) = open.pop() {
            let Some(&to) = edges[node].get(next) else {
                finished.push(node);
                continue;
            };
            open.push((node, next + 1));
            if !seen[to] {
                seen[to] = true;
                open.push((to, 0));
            }
        }
    }
    let mut numbers = vec![usize::MAX; edges.len()];
    for &start in finished.iter().rev() {
        let mut open = vec![start];
        while let Some(node) = open.pop() {
            if numbers[node] == usize::MAX {
                numbers[node] = start;
                open.extend(reversed[node].iter().copied().filter(|from| numbers[*from] == usize::MAX));
            }
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_that_reach_each_other_have_the_same_number() {
        // 0 -> 1 -> 2 -> 0, 2 -> 3, 4 -> 4.
        let edges = vec![vec![1], vec![2], vec![0, 3], vec![], vec![4]];
        let mut reversed = vec![Vec::new(); edges.len()];
        for (from, targets) in edges.iter().enumerate() {
            for &to in targets {
                reversed[to].push(from);
            }
        }
        let numbers = cycles(&edges, &reversed);
        assert_eq!(numbers[0], numbers[1]);
        assert_eq!(numbers[1], numbers[2]);
        assert_ne!(numbers[2], numbers[3]);
        assert_ne!(numbers[3], numbers[4]);
    }
}
