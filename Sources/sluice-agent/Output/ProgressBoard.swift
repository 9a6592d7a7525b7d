import AgentKit
import TransferCommon
import TransferCore

/// The progress display of a terminal: one bar for each active file and a line with totals. Only computes lines of
/// text; `ProgressLines` writes them to the terminal.
///
/// *Stored* bytes are those that the store has confirmed. *Sent* bytes are those that the agent has sent and the store
/// has not yet confirmed. Within a run, bars and percentages never decrease and never exceed 100 %.
struct ProgressBoard {
    private struct File {
        let key: String
        var figures = UploadProgress(size: 0, storedBytes: 0, bytesSent: 0, bytesResumed: 0)
        var underWay: [PartNumber: UInt64] = [:]
        var percentShown: UInt64 = 0
    }

    /// Maximum number of files with a line of their own. The totals include the others.
    private static let filesShownMax = 6
    private static let barColumns = 24
    private static let rateSpan = Duration.seconds(5)

    /// Files by the bytes of their keys. A `String` cannot be the dictionary's key, because two keys with different
    /// encodings of a character are equal as `String`.
    private var files: [[UInt8]: File] = [:]
    private var order: [[UInt8]] = []
    private var finishedCount = 0
    private var finishedBytes: UInt64 = 0
    private var finishedSent: UInt64 = 0
    private var samples: [(at: ContinuousClock.Instant, sent: UInt64)] = []

    var isActive: Bool { !files.isEmpty }

    mutating func observe(_ event: UploadEvent, at now: ContinuousClock.Instant) {
        switch event {
        case .part(let key, let number, let sent, _, let isStored):
            change(key) { $0.underWay[number] = isStored ? nil : sent }
        case .file(let key, let figures):
            change(key) { $0.figures = figures }
        case .note(let key, _):
            change(key) { _ in }
        case .finished(_, let key, _, let figures):
            finishedCount += 1
            finishedBytes &+= figures.storedBytes
            finishedSent &+= figures.bytesSent
            let bytes = Array(key.utf8)
            files[bytes] = nil
            order.removeAll { $0 == bytes }
        case .awaitingGateway, .ended, .checked:
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

    /// The lines of the display: one for each file, and one with totals.
    ///
    /// - Parameter columns: width of the terminal. Longer lines are cut to this width.
    mutating func lines(columns: Int, at now: ContinuousClock.Instant) -> [String] {
        let shown = order.prefix(Self.filesShownMax)
        var lines = shown.map { line(of: $0, columns: columns) }
        guard !lines.isEmpty else { return [] }
        lines.append(Self.cut(sums(at: now), columns))
        return lines
    }

    private mutating func line(of bytes: [UInt8], columns: Int) -> String {
        guard var file = files[bytes] else { return "" }
        // Make control characters visible first: the visible form is longer.
        let (key, figures) = (file.key.withVisibleControls, file.figures)
        if figures.isGrowing {
            return Self.cut("\(key)  \(ReadableQuantity.size(figures.storedBytes)) stored", columns)
        }
        file.percentShown = max(file.percentShown, Self.percent(figures.storedBytes, of: figures.size))
        files[bytes] = file
        let sent = figures.storedBytes + file.underWay.values.reduce(0, +)
        let bar = Self.bar(stored: file.percentShown, sent: Self.percent(sent, of: figures.size))
        let tail =
            "  [\(bar)] \(file.percentShown) %  \(ReadableQuantity.size(figures.storedBytes)) stored of "
            + ReadableQuantity.size(figures.size)
        return Self.cut(Self.shortened(key, to: max(columns - tail.count, 12)) + tail, columns)
    }

    /// A line with the totals of all files: number of files, bytes stored, bytes sent and not yet stored, rate, and
    /// remaining time at this rate.
    func sums(at now: ContinuousClock.Instant) -> String {
        let stored = files.values.reduce(finishedBytes) { $0 &+ $1.figures.storedBytes }
        let underWay = files.values.reduce(0) { $0 &+ $1.underWay.values.reduce(0, +) }
        let size = files.values.reduce(finishedBytes) { $0 &+ $1.figures.size }
        var text =
            "\(finishedCount) of \(finishedCount + files.count) files: \(ReadableQuantity.size(stored)) stored, "
            + "\(ReadableQuantity.size(underWay)) on the way"
        guard let rate = rate(at: now), rate > 0 else { return text }
        text += ", \(ReadableQuantity.size(UInt64(rate)))/s"
        let left = size > stored &+ underWay ? size - stored - underWay : 0
        guard !files.values.contains(where: \.figures.isGrowing) else { return text }
        return text + ", \(ReadableQuantity.time(Double(left) / rate)) left"
    }

    private mutating func sample(at now: ContinuousClock.Instant) {
        let sent = files.values.reduce(finishedSent) { $0 &+ $1.figures.bytesSent }
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

    /// Shortens a key at its start, because the end of a key usually distinguishes files better than the start.
    private static func shortened(_ key: String, to columns: Int) -> String {
        key.count <= columns ? key : "…" + key.suffix(columns - 1)
    }

    private static func cut(_ line: String, _ columns: Int) -> String { String(line.prefix(max(columns - 1, 20))) }
}
