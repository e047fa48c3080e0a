//! How bytes get to a panel's controller: by I2C, or by SPI with a line that tells commands from data.
//!
//! Section numbers are those of the Solomon Systech SSD1306 datasheet, revision 1.1; the SH1106 is the same there.

use embedded_hal::digital::OutputPin;
use embedded_hal::i2c::I2c;
use embedded_hal::spi::SpiDevice;

/// Data bytes in one I2C write. What else is on the bus waits no longer, and no adapter refuses it.
const CHUNK: usize = 16;

/// What a controller is reached by.
pub trait Wire {
    /// Why something could not be sent.
    type Error;

    /// Fails when nothing answers. Nothing is written.
    ///
    /// # Errors
    /// When nothing answers.
    fn answers(&mut self) -> Result<(), Self::Error>;

    /// Sends a command and its arguments, at most 7 bytes.
    ///
    /// # Errors
    /// When it cannot be sent.
    fn command(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Sends bytes for the controller's memory.
    ///
    /// # Errors
    /// When it cannot be sent.
    fn data(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Bytes on the bus beside those of a command, of which `data` are for the memory.
    fn overhead(data: usize) -> usize;
}

/// A controller at an address of an I2C bus.
pub struct I2cWire<B> {
    bus: B,
    address: u8,
}

impl<B: I2c> I2cWire<B> {
    /// To the panel at the 7-bit `address`.
    pub const fn new(bus: B, address: u8) -> Self {
        Self { bus, address }
    }

    /// A write of a control byte (8.1.5.2) and what it speaks of.
    fn write(&mut self, control: u8, bytes: &[u8]) -> Result<(), B::Error> {
        let mut buffer = [control; 1 + CHUNK];
        let (buffer, _) = buffer.split_at_mut(1 + bytes.len());
        buffer[1..].copy_from_slice(bytes);
        self.bus.write(self.address, buffer)
    }
}

impl<B: I2c> Wire for I2cWire<B> {
    type Error = B::Error;

    /// One byte is read, which a controller answers with its status (8.1.5.1, 9.2) and which changes
    /// nothing in it. `i2cdetect` sends an empty write instead, which several adapters refuse (those
    /// with the kernel's quirk `I2C_AQ_NO_ZERO_LEN`, and most of those on USB).
    fn answers(&mut self) -> Result<(), B::Error> {
        self.bus.read(self.address, &mut [0])
    }

    fn command(&mut self, bytes: &[u8]) -> Result<(), B::Error> {
        self.write(0x00, bytes)
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), B::Error> {
        bytes.chunks(CHUNK).try_for_each(|chunk| self.write(0x40, chunk))
    }

    /// Each write has an address and a control byte.
    fn overhead(data: usize) -> usize {
        2 * data.div_ceil(CHUNK).max(1)
    }
}

/// A controller with a chip select of its own and the line D/C# (8.1.3): low for commands.
pub struct SpiWire<S, P> {
    spi: S,
    dc: P,
}

/// What failed of an [`SpiWire`].
#[derive(Debug, PartialEq, Eq)]
pub enum SpiError<S, P> {
    /// Of the bus.
    Bus(S),
    /// Of the line that tells commands from data.
    Line(P),
}

impl<S: SpiDevice, P: OutputPin> SpiWire<S, P> {
    /// `dc`: the line that tells commands from data.
    pub const fn new(spi: S, dc: P) -> Self {
        Self { spi, dc }
    }
}

impl<S: SpiDevice, P: OutputPin> Wire for SpiWire<S, P> {
    type Error = SpiError<S::Error, P::Error>;

    /// Nothing ever answers: these controllers cannot be read by 4-wire SPI.
    fn answers(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    fn command(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        self.dc.set_low().map_err(SpiError::Line)?;
        self.spi.write(bytes).map_err(SpiError::Bus)
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        self.dc.set_high().map_err(SpiError::Line)?;
        self.spi.write(bytes).map_err(SpiError::Bus)
    }

    /// Setting the line costs about as much time as a byte.
    fn overhead(_: usize) -> usize {
        1
    }
}
