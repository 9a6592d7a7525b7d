/// Decides which text for one output of the program is kept, written next, or lost. Does no I/O: a writer thread takes
/// batches from the queue and reports what the system did with them.
///
/// | event             | effect                                                                           |
/// |-------------------|----------------------------------------------------------------------------------|
/// | `add`             | text is queued if it fits in `bytesMax`; else the caller waits, or the text is lost |
/// | `addOrOmit`       | a line of the log is queued if it fits; else it is counted                        |
/// | `take`            | all queued text is under way, followed by a line with the count of omitted lines  |
/// | `wrote`           | the system has accepted bytes that were under way                                 |
/// | `failed`, passing | text under way is lost, for example because a disk is full; later text is tried   |
/// | `failed`, lasting | the reader is gone or the descriptor closed: all text, now and later, is lost     |
package struct OutputQueue: Equatable {
    /// The answer to new text.
    package enum Answer: Equatable {
        case queued
        /// The text does not fit now. The caller may wait until some text has been written, or give the text up.
        case full
        case lost
    }

    /// Why text was lost.
    package enum Loss: Equatable, Sendable {
        /// A write failed with this error number.
        case failed(Int32)
        /// The reader did not read for too long.
        case stalled
    }

    private let bytesMax: Int
    private var queued: [UInt8] = []
    private var underWay = 0
    private var omittedLines = 0
    private var isBroken = false
    /// Whether the last byte that was written is not a line feed.
    private var isWithinLine = false

    /// The first reason for which text was lost; `nil` if no text was lost. Omitted lines of the log do not count.
    package private(set) var loss: Loss?
    /// Total number of bytes that the system has accepted. It grows as long as the reader reads.
    package private(set) var writtenBytes: UInt64 = 0

    /// - Parameter bytesMax: maximum number of bytes that wait. A longer text is queued if nothing else waits.
    package init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    /// Number of bytes that wait or are under way.
    package var pendingBytes: Int { queued.count + underWay }

    /// Adds text that must not be left out silently.
    package mutating func add(_ bytes: [UInt8]) -> Answer {
        guard !isBroken else { return .lost }
        guard fits(bytes) else { return .full }
        queued += bytes
        return .queued
    }

    /// Adds a line of the log, or counts it if it does not fit.
    package mutating func addOrOmit(_ bytes: [UInt8]) {
        guard !isBroken else { return }
        // After an omitted line, omit all lines until the writer takes the next batch. The batch ends with the number
        // of omitted lines, so that this number stands between the older lines and the newer ones.
        if omittedLines == 0, fits(bytes) { queued += bytes } else { omittedLines += 1 }
    }

    /// Records that a caller gave its text up, or that the program ends with text that was not written.
    package mutating func giveUp(_ reason: Loss) {
        if loss == nil { loss = reason }
    }

    /// Takes all queued text for the writer; `nil` if there is none.
    package mutating func take() -> [UInt8]? {
        guard underWay == 0 else { return nil }
        if omittedLines > 0 {
            let lines = omittedLines == 1 ? "1 line" : "\(omittedLines) lines"
            queued += Array("\(lines) of the log left out: this output was not read\n".utf8)
            omittedLines = 0
        }
        guard !queued.isEmpty else { return nil }
        // If the last line was written only in part, end it first, so that the next text begins a new line.
        if isWithinLine, loss != nil { queued.insert(UInt8(ascii: "\n"), at: 0) }
        let batch = queued
        queued = []
        underWay = batch.count
        return batch
    }

    /// Records that the system has accepted bytes.
    ///
    /// - Parameter endsLine: whether the last of them is a line feed.
    package mutating func wrote(_ count: Int, endsLine: Bool) {
        underWay -= min(count, underWay)
        writtenBytes += UInt64(count)
        isWithinLine = !endsLine
    }

    /// Records that the text under way cannot be written.
    ///
    /// - Parameter isLasting: whether later writes would fail, too.
    package mutating func failed(_ number: Int32, isLasting: Bool) {
        if loss == nil { loss = .failed(number) }
        underWay = 0
        guard isLasting else { return }
        isBroken = true
        queued = []
        omittedLines = 0
    }

    private func fits(_ bytes: [UInt8]) -> Bool { pendingBytes == 0 || pendingBytes + bytes.count <= bytesMax }
}
