//! An SSD1306 with its glass, as the bus sees it and as a viewer sees it. No dependencies.
//!
//! Sections and tables are those of the Solomon Systech SSD1306 datasheet, revision 1.1 (April 2008).

const COLUMNS: usize = 128;
const ROWS: usize = 64;
const PAGES: usize = 8;

/// Memory addressing modes (10.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Horizontal,
    Vertical,
    Page,
}

/// A pointer that runs from `start` to `end` and over again (10.1.4, 10.1.5).
#[derive(Clone, Copy, Debug)]
struct Pointer {
    start: usize,
    end: usize,
    at: usize,
}

impl Pointer {
    const fn over(end: usize) -> Self {
        Self { start: 0, end, at: 0 }
    }

    /// Moves on; true when it came back to the start.
    fn advance(&mut self) -> bool {
        let wrapped = self.at == self.end;
        self.at = if wrapped { self.start } else { self.at + 1 };
        wrapped
    }
}

/// The controller on a module whose glass shows `height` rows.
#[derive(Clone, Debug)]
pub struct Ssd1306 {
    height: usize,
    /// Pages of columns; bit 0 of a byte is the page's uppermost row (8.7).
    ram: [[u8; COLUMNS]; PAGES],
    mode: Mode,
    column: Pointer,
    page: Pointer,
    /// A command that still waits for arguments.
    pending: Vec<u8>,
    pub on: bool,
    pub contrast: u8,
    charge_pump: bool,
    all_on: bool,
    inverted: bool,
    multiplex: usize,
    offset: usize,
    start_line: usize,
    segment_remap: bool,
    com_reversed: bool,
    alternative_com: bool,
    /// Commands that the datasheet does not know.
    pub unknown: Vec<u8>,
}

impl Ssd1306 {
    /// Just switched on (8.5, Reset Circuit, and the reset values of table 9-1); the memory holds noise.
    pub fn new(height: usize) -> Self {
        let mut noise = 0x2545_f491_u32;
        let mut ram = [[0; COLUMNS]; PAGES];
        for byte in ram.iter_mut().flatten() {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = (noise >> 24) as u8;
        }
        Self {
            height,
            ram,
            mode: Mode::Page,
            column: Pointer::over(COLUMNS - 1),
            page: Pointer::over(PAGES - 1),
            pending: Vec::new(),
            on: false,
            contrast: 0x7f,
            charge_pump: false,
            all_on: false,
            inverted: false,
            multiplex: 63,
            offset: 0,
            start_line: 0,
            segment_remap: false,
            com_reversed: false,
            alternative_com: true,
            unknown: Vec::new(),
        }
    }

    /// Unplugged and plugged in again.
    pub fn power_cycle(&mut self) {
        *self = Self::new(self.height);
    }

    /// What a read answers: bit 6 is set while the display is off (9.2, table 9-2).
    pub fn read(&self) -> u8 {
        if self.on { 0x00 } else { 0x40 }
    }

    /// One write transfer, without the address byte. A control byte says what follows it (8.1.5.2):
    /// bit 7 (Co) a single byte and then the next control byte, else the rest of the transfer;
    /// bit 6 (D/C#) data for the memory, else commands.
    pub fn write(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((&control, following)) = rest.split_first() {
            let single = control & 0x80 != 0;
            let count = if single { following.len().min(1) } else { following.len() };
            let (now, later) = following.split_at(count);
            for &byte in now {
                if control & 0x40 != 0 { self.data(byte) } else { self.command_byte(byte) }
            }
            rest = later;
        }
    }

    fn data(&mut self, byte: u8) {
        self.ram[self.page.at][self.column.at] = byte;
        match self.mode {
            Mode::Horizontal => {
                if self.column.advance() {
                    self.page.advance();
                }
            }
            Mode::Vertical => {
                if self.page.advance() {
                    self.column.advance();
                }
            }
            // The page stays (10.1.3).
            Mode::Page => {
                self.column.at = (self.column.at + 1) % COLUMNS;
            }
        }
    }

    fn command_byte(&mut self, byte: u8) {
        self.pending.push(byte);
        let arguments = match self.pending[0] {
            0x20 | 0x81 | 0x8d | 0xa8 | 0xd3 | 0xd5 | 0xd9 | 0xda | 0xdb => 1,
            0x21 | 0x22 | 0xa3 => 2,
            0x29 | 0x2a => 5,
            0x26 | 0x27 => 6,
            _ => 0,
        };
        if self.pending.len() > arguments {
            let command = std::mem::take(&mut self.pending);
            self.command(command[0], &command[1..]);
        }
    }

    /// A whole command (tables 9-1 and, for the charge pump, the application note's 2-1).
    fn command(&mut self, command: u8, arguments: &[u8]) {
        let argument = |index: usize| usize::from(arguments[index]);
        match command {
            // Only for page addressing (10.1.1, 10.1.2, 10.1.13).
            0x00..=0x0f => self.column.at = self.column.at & 0x70 | usize::from(command & 0x0f),
            0x10..=0x17 => self.column.at = self.column.at & 0x0f | usize::from(command & 0x07) << 4,
            0xb0..=0xb7 => self.page.at = usize::from(command & 0x07),
            0x20 => {
                self.mode = match arguments[0] & 0x03 {
                    0 => Mode::Horizontal,
                    1 => Mode::Vertical,
                    _ => Mode::Page,
                }
            }
            0x21 => self.column = window(argument(0) & 0x7f, argument(1) & 0x7f),
            0x22 => self.page = window(argument(0) & 0x07, argument(1) & 0x07),
            0x40..=0x7f => self.start_line = usize::from(command & 0x3f),
            0x81 => self.contrast = arguments[0],
            0x8d => self.charge_pump = arguments[0] & 0x04 != 0,
            0xa0 | 0xa1 => self.segment_remap = command & 1 != 0,
            0xa4 | 0xa5 => self.all_on = command & 1 != 0,
            0xa6 | 0xa7 => self.inverted = command & 1 != 0,
            0xa8 => self.multiplex = argument(0) & 0x3f,
            0xae | 0xaf => self.on = command & 1 != 0,
            0xc0..=0xc7 => self.com_reversed = false,
            0xc8..=0xcf => self.com_reversed = true,
            0xd3 => self.offset = argument(0) & 0x3f,
            0xda => self.alternative_com = arguments[0] & 0x10 != 0,
            // Timing, voltages and scrolling do not change a still picture; NOP.
            0x26 | 0x27 | 0x29 | 0x2a | 0x2e | 0x2f | 0xa3 | 0xd5 | 0xd9 | 0xdb | 0xe3 => {}
            _ => self.unknown.push(command),
        }
    }

    /// Whether a viewer sees light at column `x` and row `y` of the glass, which is mounted as on the
    /// common modules: upright with segment remap (A1, 10.1.8) and COM scan reversed (C8, 10.1.14).
    pub fn lit(&self, x: usize, y: usize) -> bool {
        if !(self.on && self.charge_pump) {
            return false;
        }
        let column = if self.segment_remap { x } else { COLUMNS - 1 - x };
        // The glass needs its own wiring of the COM pins (10.1.18): with the other one rows are
        // interleaved.
        let wired =
            if self.alternative_com == (self.height == ROWS) { y } else { y / 2 + y % 2 * (self.height / 2) };
        let scanned = if self.com_reversed { wired } else { self.height - 1 - wired };
        // Rows beyond the multiplex ratio are not driven (10.1.11).
        if scanned > self.multiplex {
            return false;
        }
        let row = (scanned + self.offset + self.start_line) % ROWS;
        let bit = self.ram[row / 8][column] & (1 << (row % 8)) != 0;
        self.all_on || (bit != self.inverted)
    }

    /// What a viewer sees: rows of columns.
    pub fn seen(&self) -> Vec<Vec<bool>> {
        (0..self.height).map(|y| (0..COLUMNS).map(|x| self.lit(x, y)).collect()).collect()
    }
}

/// A window sets its pointer to its start.
const fn window(start: usize, end: usize) -> Pointer {
    Pointer { start, end, at: start }
}
