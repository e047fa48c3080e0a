//! What an SSD1306 makes of the bytes written to it over I2C (data sheet rev. 1.1, tables 8-1 and 9-1).

const WIDTH: usize = 128;
const PAGES: usize = 8;

pub struct Ssd1306 {
    ram: [[u8; WIDTH]; PAGES],
    /// A command that still lacks arguments.
    pending: Vec<u8>,
    columns: (usize, usize),
    pages: (usize, usize),
    column: usize,
    page: usize,
    horizontal: bool,
    on: bool,
    columns_remapped: bool,
    rows_remapped: bool,
}

impl Default for Ssd1306 {
    fn default() -> Self {
        let mut ram = [[0; WIDTH]; PAGES];
        // After power-on the memory holds noise.
        for (at, byte) in ram.iter_mut().flatten().enumerate() {
            *byte = (at * 167 % 251) as u8;
        }
        Self {
            ram,
            pending: Vec::new(),
            columns: (0, WIDTH - 1),
            pages: (0, PAGES - 1),
            column: 0,
            page: 0,
            horizontal: false,
            on: false,
            columns_remapped: false,
            rows_remapped: false,
        }
    }
}

impl Ssd1306 {
    /// One I2C message: control bytes, each followed by one byte or by all the rest.
    pub fn write(&mut self, mut message: &[u8]) {
        while let [control, rest @ ..] = message {
            let length = if control & 0x80 == 0 { rest.len() } else { rest.len().min(1) };
            for &byte in &rest[..length] {
                if control & 0x40 == 0 { self.command(byte) } else { self.data(byte) }
            }
            message = &rest[length..];
        }
    }

    /// 64 lines of 128 `#` (lit) and `.`, as seen on the glass.
    pub fn rows(&self) -> String {
        let mut rows = String::new();
        for y in 0..PAGES * 8 {
            let y = if self.rows_remapped { y } else { PAGES * 8 - 1 - y };
            for x in 0..WIDTH {
                let x = if self.columns_remapped { x } else { WIDTH - 1 - x };
                let lit = self.on && self.ram[y / 8][x] >> (y % 8) & 1 == 1;
                rows.push(if lit { '#' } else { '.' });
            }
            rows.push('\n');
        }
        rows
    }

    fn command(&mut self, byte: u8) {
        self.pending.push(byte);
        let arguments = match self.pending[0] {
            0x26 | 0x27 => 6,
            0x29 | 0x2a => 5,
            0x21 | 0x22 | 0xa3 => 2,
            0x20 | 0x81 | 0x8d | 0xa8 | 0xd3 | 0xd5 | 0xd9 | 0xda | 0xdb => 1,
            _ => 0,
        };
        if self.pending.len() <= arguments {
            return;
        }
        match self.pending[..] {
            [0x20, mode] => self.horizontal = mode & 3 == 0,
            [0x21, first, last] => {
                self.columns = (usize::from(first & 127), usize::from(last & 127));
                self.column = self.columns.0;
            }
            [0x22, first, last] => {
                self.pages = (usize::from(first & 7), usize::from(last & 7));
                self.page = self.pages.0;
            }
            [low @ 0x00..=0x0f] => self.column = self.column & 0x70 | usize::from(low),
            [high @ 0x10..=0x1f] => self.column = self.column & 0x0f | usize::from(high & 7) << 4,
            [page @ 0xb0..=0xb7] => self.page = usize::from(page & 7),
            [0xa0 | 0xa1] => self.columns_remapped = byte & 1 == 1,
            [0xc0 | 0xc8] => self.rows_remapped = byte & 8 == 8,
            [0xae | 0xaf] => self.on = byte & 1 == 1,
            _ => {}
        }
        self.pending.clear();
    }

    fn data(&mut self, byte: u8) {
        self.ram[self.page][self.column] = byte;
        if self.column != self.columns.1 {
            self.column = (self.column + 1) % WIDTH;
            return;
        }
        self.column = self.columns.0;
        if self.horizontal {
            self.page = if self.page == self.pages.1 { self.pages.0 } else { (self.page + 1) % PAGES };
        }
    }
}
