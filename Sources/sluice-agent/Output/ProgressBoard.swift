package import AgentKit
package import CommandSupport
import TransferCommon
import TransferCore

/// The progress display of a terminal: one bar for each active file and a line with totals. Only computes lines of
/// text; `ProgressLines` writes them to the terminal.
///
/// *Stored* bytes are those that the store has confirmed. *Sent* bytes are those that the agent has sent and the store
/// has not yet confirmed. Within a run, bars and percentages never decrease and never exceed 100 %.
package struct ProgressBoard {
    private struct File {
        let key: String
        var figures = UploadProgress(size: 0, storedBytes: 0, bytesSent: 0, bytesResumed: 0)
        var underWay: [PartNumber: UInt64] = [:]
        var percentShown: UInt64 = 0

        var sentBytes: UInt64 { underWay.values.reduce(0, &+) }
    }

    /// Maximum number of files with a line of their own. The totals include the others.
    private static let filesShownMax = 6
    private static let barColumns = 24
    private static let rateSpan = Duration.seconds(5)

    /// Files by the bytes of their keys. A `String` cannot be the dictionary's key, because two keys with different
    /// encodings of a character are equal as `String`.
    private var files: [[UInt8]: File] = [:]
    private var order: [[UInt8]] = []
    private var ended = BoardTotals()
    private var endedSent: UInt64 = 0
    private var samples: [(at: ContinuousClock.Instant, sent: UInt64)] = []

    /// Whether there is a file to show.
    package var isActive: Bool { !files.isEmpty }

    package init() {}

    /// Call with every event, in order.
    package mutating func observe(_ event: UploadEvent, at now: ContinuousClock.Instant) {
        switch event {
        case .part(let key, let number, let sent, _, let isStored):
            change(key) { $0.underWay[number] = isStored ? nil : sent }
        case .file(let key, let figures):
            change(key) { $0.figures = figures }
        case .finished(_, let key, let outcome, let figures):
            ended.add(outcome, figures)
            endedSent &+= figures.bytesSent
            let bytes = Array(key.utf8)
            files[bytes] = nil
            order.removeAll { $0 == bytes }
        case .note, .awaitingGateway, .ended, .checked, .site:
            // A note may concern a path that is left out and never ends, so it makes no row.
            break
        }
        sample(at: now)
    }

    private mutating func change(_ key: String, _ change: (inout File) -> Void) {
        let bytes = Array(key.utf8)
        if files[bytes] == nil { order.append(bytes) }
        change(&files[bytes, default: File(key: key)])
    }

    // MARK: Lines

    /// The lines of the display: one for each file, and one with totals. None of them is as wide as the terminal, and
    /// they leave one of its rows empty, for the cursor. Names are shortened first; then the bars leave, then the
    /// words. Percentages, sizes and the rate stay.
    package mutating func lines(on terminal: TerminalSize, at now: ContinuousClock.Instant) -> [String] {
        guard !order.isEmpty else { return [] }
        let width = max(terminal.columns - 1, 1)
        let shown = order.prefix(max(min(Self.filesShownMax, terminal.rows - 2), 0))
        for bytes in shown { showProgress(ofFile: bytes) }
        let shownFiles = shown.compactMap { files[$0] }
        let percentWidth = shownFiles.map { "\($0.percentShown)".count }.max() ?? 0
        let rows = shownFiles.map { Self.row(of: $0, percentWidth: percentWidth) }
        let table = TextTable([.name, .left, .left], rows: rows)
        return table.cellLines(width: width) + [totals(at: now).line(width: width)]
    }

    /// The totals in full words, for an output that is no terminal.
    package func sums(at now: ContinuousClock.Instant) -> String { totals(at: now).forms[0] }

    private mutating func showProgress(ofFile bytes: [UInt8]) {
        guard let file = files[bytes] else { return }
        let percent = Self.percent(file.figures.storedBytes, of: file.figures.size)
        files[bytes]?.percentShown = max(file.percentShown, percent)
    }

    private static func row(of file: File, percentWidth: Int) -> TextTable.Row {
        let figures = file.figures
        guard !figures.isGrowing else {
            let amount = StoredAmount(stored: figures.storedBytes, size: nil)
            let words = "\(amount.short) stored"
            return TextTable.Row([.init(file.key), .init(""), .init(words, words, amount.short, amount.shortest)])
        }
        let bar = bar(stored: file.percentShown, sent: percent(figures.storedBytes &+ file.sentBytes, of: figures.size))
        let number = DisplayWidth.padded("\(file.percentShown)", to: percentWidth, .right)
        let amount = StoredAmount(stored: figures.storedBytes, size: figures.size)
        let words = "\(ReadableQuantity.size(figures.storedBytes)) stored of \(ReadableQuantity.size(figures.size))"
        return TextTable.Row([
            .init(file.key), .init("[\(bar)] \(number) %", "\(number) %", "\(number) %", "\(number)%"),
            .init(words, words, amount.short, amount.shortest),
        ])
    }

    private func totals(at now: ContinuousClock.Instant) -> BoardTotals {
        var totals = ended
        for file in files.values { totals.add(file.figures, sent: file.sentBytes) }
        totals.rate = rate(at: now)
        return totals
    }

    private mutating func sample(at now: ContinuousClock.Instant) {
        let sent = files.values.reduce(endedSent) { $0 &+ $1.figures.bytesSent }
        if let last = samples.last, now - last.at < .milliseconds(200) { return }
        samples.append((now, sent))
        // Remove samples that are older than the span, except the newest of them: it is the start of the measurement.
        while samples.count > 2, now - samples[1].at > Self.rateSpan { samples.removeFirst() }
    }

    private func rate(at now: ContinuousClock.Instant) -> Double? {
        guard let first = samples.first, let last = samples.last, last.sent >= first.sent,
            now - first.at > .milliseconds(500)
        else { return nil }
        return Double(last.sent - first.sent) / (now - first.at).inSeconds
    }

    private static func percent(_ part: UInt64, of whole: UInt64) -> UInt64 {
        guard whole > 0 else { return 0 }
        return UInt64(min(Double(part) / Double(whole), 1) * 100)
    }

    /// The bar: `#` for stored, `=` for sent, `-` for remaining.
    private static func bar(stored: UInt64, sent: UInt64) -> String {
        let full = Int(stored) * barColumns / 100
        let half = max(Int(sent) * barColumns / 100 - full, 0)
        return String(repeating: "#", count: full) + String(repeating: "=", count: half)
            + String(repeating: "-", count: max(barColumns - full - half, 0))
    }
}
