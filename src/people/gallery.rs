//! Who a face is: an open-set decision, since most faces are nobody's who is enrolled.

use super::descriptor::Descriptor;
use crate::vocabulary::name::Name;

/// The descriptors of everybody who is enrolled.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gallery(Vec<(Name, Vec<Descriptor>)>);

/// How near a face must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Greatest distance to the person.
    pub threshold: f32,
    /// By how much the next person must be farther away.
    pub margin: f32,
}

/// The person nearest to a face.
#[derive(Clone, Debug, PartialEq)]
pub struct Nearest {
    pub name: Name,
    pub distance: f32,
    /// To the next person; infinite where there is none.
    pub next: f32,
}

impl Nearest {
    /// Whether it is that person.
    pub fn within(&self, limits: &Limits) -> bool {
        self.distance <= limits.threshold && self.next - self.distance >= limits.margin
    }
}

impl Gallery {
    pub fn add(&mut self, name: &Name, descriptor: Descriptor) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, descriptors)) => descriptors.push(descriptor),
            None => self.0.push((name.clone(), vec![descriptor])),
        }
    }

    /// Number of people.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Everybody with their descriptors.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &[Descriptor])> {
        self.0.iter().map(|(name, descriptors)| (name, descriptors.as_slice()))
    }

    /// The person nearest to `face`; `None` where nobody is enrolled.
    pub fn nearest(&self, face: &Descriptor) -> Option<Nearest> {
        let mut best: Option<Nearest> = None;
        for (name, descriptors) in &self.0 {
            let distance = distance(face, descriptors);
            best = Some(match best {
                Some(best) if best.distance <= distance => Nearest { next: best.next.min(distance), ..best },
                other => {
                    let next = other.map_or(f32::INFINITY, |best| best.distance);
                    Nearest { name: name.clone(), distance, next }
                }
            });
        }
        best
    }
}

/// From a face to a person: to the nearest of the person's descriptors.
pub fn distance(face: &Descriptor, person: &[Descriptor]) -> f32 {
    person.iter().map(|descriptor| face.distance(descriptor)).fold(f32::INFINITY, f32::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: f32, y: f32) -> Descriptor {
        Descriptor::new([x, y]).expect("finite")
    }

    #[test]
    fn strangers_and_those_between_two_are_nobody() {
        let name = |text: &str| text.parse::<Name>().expect("name");
        let mut gallery = Gallery::default();
        let limits = Limits { threshold: 0.5, margin: 0.1 };
        assert_eq!(gallery.nearest(&at(0.0, 0.0)), None);
        gallery.add(&name("anna"), at(0.0, 0.0));
        gallery.add(&name("bert"), at(0.9, 0.0));
        gallery.add(&name("anna"), at(0.0, 0.3));
        let who = |x, y| {
            let nearest = gallery.nearest(&at(x, y)).expect("somebody");
            nearest.within(&limits).then(|| nearest.name.to_string())
        };
        assert_eq!(who(0.1, 0.3).as_deref(), Some("anna"));
        assert_eq!(who(0.8, 0.0).as_deref(), Some("bert"));
        assert_eq!(who(0.43, 0.0), None, "in the middle");
        assert_eq!(who(0.0, 2.0), None, "far from all");
        let nearest = gallery.nearest(&at(0.0, 0.1)).expect("somebody");
        assert!((nearest.next - 0.9055).abs() < 1e-3, "the next person, not anna's other photo: {nearest:?}");
    }
}
