//! An SH1106 with its glass, as the bus sees it and as a viewer sees it. No dependencies.
//!
//! Numbers are those of the list of commands in the Sino Wealth SH1106 datasheet, version 2.3.

/// Columns of the memory; the glass shows those in the middle.
const COLUMNS: usize = 132;
const MARGIN: usize = 2;
const WIDTH: usize = COLUMNS - 2 * MARGIN;
const ROWS: usize = 64;

/// The controller on a module whose glass shows `height` rows.
#[derive(Clone, Debug)]
pub struct Sh1106 {
    height: usize,
    /// Pages of columns; bit 0 of a byte is the page's uppermost row.
    ram: [[u8; COLUMNS]; ROWS / 8],
    page: usize,
    column: usize,
    /// A command that still waits for its argument.
    pending: Option<u8>,
    pub on: bool,
    pub contrast: u8,
    converter: bool,
    segment_remap: bool,
    com_reversed: bool,
    alternative_com: bool,
    multiplex: usize,
    offset: usize,
    start_line: usize,
    /// Commands that the datasheet does not know.
    pub unknown: Vec<u8>,
}

impl Sh1106 {
    /// Just switched on; the memory holds noise, and the voltage converter is off.
    pub fn new(height: usize) -> Self {
        Self {
            height,
            ram: [[0xa5; COLUMNS]; ROWS / 8],
            page: 0,
            column: 0,
            pending: None,
            on: false,
            contrast: 0x80,
            converter: false,
            segment_remap: false,
            com_reversed: false,
            alternative_com: true,
            multiplex: 63,
            offset: 0,
            start_line: 0,
            unknown: Vec::new(),
        }
    }

    /// A byte for the memory: the column moves on and stays at the end, the page never moves.
    pub fn data(&mut self, byte: u8) {
        if self.column < COLUMNS {
            self.ram[self.page][self.column] = byte;
            self.column += 1;
        }
    }

    pub fn command(&mut self, byte: u8) {
        match (self.pending.take(), byte) {
            (Some(0x81), contrast) => self.contrast = contrast,
            (Some(0xa8), ratio) => self.multiplex = usize::from(ratio & 0x3f),
            (Some(0xad), mode) => self.converter = mode == 0x8b,
            (Some(0xd3), offset) => self.offset = usize::from(offset & 0x3f),
            (Some(0xda), pads) => self.alternative_com = pads & 0x10 != 0,
            // Clock, periods and voltages do not change a still picture.
            (Some(_), _) => {}
            (None, 0x81 | 0xa8 | 0xad | 0xd3 | 0xd5 | 0xd9 | 0xda | 0xdb) => self.pending = Some(byte),
            (None, 0x00..=0x0f) => self.column = self.column & 0xf0 | usize::from(byte & 0x0f),
            (None, 0x10..=0x1f) => self.column = self.column & 0x0f | usize::from(byte & 0x0f) << 4,
            (None, 0xb0..=0xb7) => self.page = usize::from(byte & 0x07),
            (None, 0x40..=0x7f) => self.start_line = usize::from(byte & 0x3f),
            (None, 0xa0 | 0xa1) => self.segment_remap = byte & 1 != 0,
            (None, 0xae | 0xaf) => self.on = byte & 1 != 0,
            (None, 0xc0..=0xc7) => self.com_reversed = false,
            (None, 0xc8..=0xcf) => self.com_reversed = true,
            // Pump voltage, entire display from memory, not inverted, NOP.
            (None, 0x30..=0x33 | 0xa4 | 0xa6 | 0xe3) => {}
            (None, _) => self.unknown.push(byte),
        }
    }

    /// Whether a viewer sees light, the module being mounted as the common ones are.
    fn lit(&self, x: usize, y: usize) -> bool {
        let column = MARGIN + if self.segment_remap { x } else { WIDTH - 1 - x };
        let wired =
            if self.alternative_com == (self.height == ROWS) { y } else { y / 2 + y % 2 * (self.height / 2) };
        let scanned = if self.com_reversed { wired } else { self.height - 1 - wired };
        let row = (scanned + self.offset + self.start_line) % ROWS;
        let bit = self.ram[row / 8][column] & (1 << (row % 8)) != 0;
        self.on && self.converter && scanned <= self.multiplex && bit
    }

    /// What a viewer sees: rows of columns.
    pub fn seen(&self) -> Vec<Vec<bool>> {
        (0..self.height).map(|y| (0..WIDTH).map(|x| self.lit(x, y)).collect()).collect()
    }
}
