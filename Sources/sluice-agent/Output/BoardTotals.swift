import AgentKit
import CommandSupport
import TransferCore

/// The totals of a run so far: files that are stored, failed or stopped, bytes stored, bytes sent and not yet stored,
/// rate, and remaining time at this rate.
struct BoardTotals {
    /// All files that the run has begun.
    private var files = 0
    private var doneFiles = 0
    private var failedFiles = 0
    private var stoppedFiles = 0
    private var storedBytes: UInt64 = 0
    private var sentBytes: UInt64 = 0
    private var remainingBytes: UInt64 = 0
    private var hasStream = false
    /// Bytes per second; `nil` if it is not known yet.
    var rate: Double?

    /// Adds a file whose upload has ended.
    mutating func add(_ outcome: UploadOutcome, _ figures: UploadProgress) {
        files += 1
        switch outcome {
        case .stored(let receipt, _):
            doneFiles += 1
            // The figures count what this run has stored. A file that the store held already is stored as well.
            storedBytes &+= receipt.size
        case .dropped:
            doneFiles += 1
        case .failed(let failure):
            if failure.kind == .stopped { stoppedFiles += 1 } else { failedFiles += 1 }
            storedBytes &+= figures.storedBytes
        }
    }

    /// Adds a file that is being uploaded.
    ///
    /// - Parameter sent: bytes that were sent, and that the store has not confirmed.
    mutating func add(_ figures: UploadProgress, sent: UInt64) {
        files += 1
        storedBytes &+= figures.storedBytes
        sentBytes &+= sent
        hasStream = hasStream || figures.isGrowing
        let done = figures.storedBytes &+ sent
        remainingBytes &+= figures.size > done ? figures.size - done : 0
    }

    /// The longest form that fits.
    func line(width: Int) -> String {
        let forms = forms
        return forms.first { DisplayWidth.columns(of: $0) <= width }
            ?? DisplayWidth.cut(forms[forms.count - 1], to: width)
    }

    /// The totals as text, the longest form first. All but the last have all counts, the stored bytes and the rate.
    var forms: [String] {
        let unstored = [(failedFiles, "failed"), (stoppedFiles, "stopped")].filter { $0.0 > 0 }
            .map { ", \($0.0) \($0.1)" }.joined()
        let stored = ReadableQuantity.size(storedBytes)
        let rate = rate.flatMap { $0 > 0 ? $0 : nil }
        let speed = rate.map { "\(ReadableQuantity.size(UInt64($0)))/s" }
        let left = hasStream ? nil : rate.map { "\(ReadableQuantity.time(Double(remainingBytes) / $0)) left" }
        let count = "\(doneFiles) of \(files) files\(unstored)"
        func list(_ texts: String?...) -> String { texts.compactMap(\.self).joined(separator: ", ") }
        let tight = StoredAmount(stored: storedBytes, size: nil).shortest
        let tightSpeed = rate.map { StoredAmount(stored: UInt64($0), size: nil).shortest + "/s" }
        return [
            list("\(count): \(stored) stored", "\(ReadableQuantity.size(sentBytes)) on the way", speed, left),
            list("\(count): \(stored) stored", speed, left),
            list("\(count): \(stored)", speed),
            list("\(doneFiles)/\(files)\(unstored): \(stored)", speed),
            ["\(doneFiles)/\(files)", tight, tightSpeed].compactMap(\.self).joined(separator: " "),
        ]
    }
}
