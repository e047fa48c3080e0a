//! Figures by groups of people: a CSV's further columns, such as age or sex.

use std::collections::BTreeMap;

use serde::Serialize;

use super::bootstrap::{self, Interval};
use super::evaluation::{Evaluation, Task};
use super::metrics::{MACRO_MIN_SUPPORT, Outcome, Tally, decimals, in_order};

/// The groups of one column.
#[derive(Clone, Debug, Serialize)]
pub struct By {
    pub column: String,
    /// In the order of their values; samples without one are a group, too.
    pub groups: Vec<Group>,
    /// `None` where fewer than two groups have [`MACRO_MIN_SUPPORT`] samples.
    pub gap: Option<Gap>,
}

/// Figures of the samples that share a value; shares are 0 to 1.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    pub value: String,
    pub samples: u64,
    pub accuracy: f64,
    pub ece: f64,
    /// Pictures in which no face was found.
    pub no_face: u64,
    /// Of the labels that its samples have.
    #[serde(serialize_with = "in_order")]
    pub recall: Vec<(&'static str, f64)>,
}

/// Between the groups of highest and of lowest accuracy.
#[derive(Clone, Debug, Serialize)]
pub struct Gap {
    pub best: String,
    pub worst: String,
    pub accuracy: f64,
    /// By the bootstrap over people where `people` tells them apart, else over pictures.
    pub interval_95: Interval,
    pub people: bool,
}

/// One sample, as the groups of a column see it.
struct Member<'a> {
    value: &'a str,
    person: &'a str,
    outcome: Outcome,
}

/// The figures of the first model by each of `columns`, which the samples' values belong to.
pub fn by(columns: &[String], task: &Task, evaluation: &Evaluation) -> Vec<By> {
    let samples = task.samples();
    let of_column = |(place, column): (usize, &String)| {
        let members: Vec<Member> = evaluation
            .counted
            .iter()
            .zip(&evaluation.outcomes[0])
            .map(|(number, outcome)| {
                let sample = samples[*number];
                Member { value: &sample.groups[place], person: &sample.person, outcome: *outcome }
            })
            .collect();
        let names: Vec<&'static str> = task.labels.iter().map(|label| label.name()).collect();
        By { column: column.clone(), groups: groups(&names, &members), gap: gap(names.len(), &members) }
    };
    columns.iter().enumerate().map(of_column).collect()
}

fn tallies<'a>(classes: usize, members: &[Member<'a>]) -> BTreeMap<&'a str, Tally> {
    let mut found = BTreeMap::new();
    for member in members {
        found.entry(member.value).or_insert_with(|| Tally::new(classes)).add(&member.outcome);
    }
    found
}

fn groups(names: &[&'static str], members: &[Member]) -> Vec<Group> {
    let describe = |(value, tally): (&str, Tally)| Group {
        value: value.to_owned(),
        samples: tally.samples(),
        accuracy: decimals(tally.accuracy()),
        ece: decimals(tally.ece()),
        no_face: tally.no_face(),
        recall: names
            .iter()
            .enumerate()
            .filter(|(class, _)| tally.support(*class) > 0)
            .map(|(class, name)| (*name, decimals(tally.recall(class))))
            .collect(),
    };
    tallies(names.len(), members).into_iter().map(describe).collect()
}

fn gap(classes: usize, members: &[Member]) -> Option<Gap> {
    let mut large: Vec<(&str, f64)> = tallies(classes, members)
        .into_iter()
        .filter(|(_, tally)| tally.samples() >= MACRO_MIN_SUPPORT)
        .map(|(value, tally)| (value, tally.accuracy()))
        .collect();
    large.sort_by(|one, other| one.1.total_cmp(&other.1));
    let [(worst, low), .., (best, high)] = large[..] else { return None };
    let people = members.iter().all(|member| !member.person.is_empty());
    // Right answers and samples of the two groups, a unit that is drawn as a whole.
    let mut units: BTreeMap<(&str, usize), [[f64; 2]; 2]> = BTreeMap::new();
    for (number, member) in members.iter().enumerate() {
        let unit = if people { (member.person, 0) } else { ("", number) };
        let counts = units.entry(unit).or_default();
        for (place, value) in [best, worst].into_iter().enumerate() {
            if member.value == value {
                counts[place][0] += f64::from(u8::from(member.outcome.is_right()));
                counts[place][1] += 1.0;
            }
        }
    }
    let units: Vec<[[f64; 2]; 2]> = units.into_values().collect();
    let interval_95 = bootstrap::interval_of(&units, |drawn| {
        let mut sums = [[0.0; 2]; 2];
        for unit in drawn {
            for (sum, count) in sums.iter_mut().zip(unit) {
                sum[0] += count[0];
                sum[1] += count[1];
            }
        }
        let share = |[right, samples]: [f64; 2]| if samples > 0.0 { right / samples } else { 0.0 };
        share(sums[0]) - share(sums[1])
    });
    Some(Gap {
        best: best.to_owned(),
        worst: worst.to_owned(),
        accuracy: decimals(high - low),
        interval_95,
        people,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member<'a>(value: &'a str, person: &'a str, right: bool) -> Member<'a> {
        let outcome = Outcome { truth: 0, answer: Some(usize::from(!right)), in_top2: true, confidence: 0.8 };
        Member { value, person, outcome }
    }

    #[test]
    fn a_group_is_told_apart_and_few_people_make_the_gap_unsure() {
        // 40 pictures each: 36 and 28 right; the wrong ones of the old are all of two people.
        let mut members: Vec<Member> = (0..40).map(|number| member("young", "", number >= 4)).collect();
        members.extend((0..40).map(|number| member("old", "", number >= 12)));
        members.extend((0..5).map(|_| member("", "", false)));
        let found = groups(&["happy", "sad"], &members);
        let told: Vec<_> = found.iter().map(|one| (one.value.as_str(), one.samples, one.accuracy)).collect();
        assert_eq!(told, [("", 5, 0.0), ("old", 40, 0.7), ("young", 40, 0.9)]);
        assert_eq!(found[1].recall, [("happy", 0.7)]);
        assert_eq!(found[1].ece, 0.1, "0.8 sure, 0.7 right");
        let by_picture = gap(2, &members).expect("two groups of 20 and more");
        assert_eq!((by_picture.best.as_str(), by_picture.worst.as_str()), ("young", "old"));
        assert_eq!((by_picture.accuracy, by_picture.people), (0.2, false));
        // Normal approximation: 0.2 ± 1.96 √(0.09/40 + 0.21/40).
        let Interval(low, high) = by_picture.interval_95;
        assert!((low - 0.030).abs() < 0.03 && (high - 0.370).abs() < 0.03, "{low} {high}");

        let names: Vec<String> = (0..members.len()).map(|number| format!("p{}", number / 6)).collect();
        let known: Vec<Member> =
            members.iter().zip(&names).map(|(one, name)| Member { person: name, ..*one }).collect();
        let by_person = gap(2, &known).expect("two groups");
        let Interval(wide_low, wide_high) = by_person.interval_95;
        assert!(by_person.people && wide_high - wide_low > 1.2 * (high - low), "{wide_low} {wide_high}");
        assert!(gap(2, &members[70..]).is_none(), "ten and five samples");
    }
}
