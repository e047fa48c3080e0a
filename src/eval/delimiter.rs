//! What separates the fields of a CSV: where the comma is the decimal mark, programs write semicolons.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

/// By the first row, which names the columns.
pub fn of(first_row: &[u8]) -> u8 {
    let count = |wanted: u8| first_row.iter().filter(|byte| **byte == wanted).count();
    if count(b';') > count(b',') { b';' } else { b',' }
}

/// For the CSV at `path`.
pub fn builder_for(path: &Path) -> io::Result<csv::ReaderBuilder> {
    let mut first = Vec::new();
    BufReader::new(File::open(path)?).read_until(b'\n', &mut first)?;
    let mut builder = csv::ReaderBuilder::new();
    builder.delimiter(of(&first));
    Ok(builder)
}

#[cfg(test)]
mod tests {
    #[test]
    fn semicolons_are_told_from_commas() {
        assert_eq!(super::of(b"image;emotion\n"), b';');
        assert_eq!(super::of(b"image,\"a;b\",emotion\n"), b',');
        assert_eq!(super::of(b"image\n"), b',');
    }
}
