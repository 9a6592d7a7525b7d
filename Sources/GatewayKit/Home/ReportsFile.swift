import FoundationEssentials
import SecureChannel
import SystemSupport
import TransferCommon
package import TransferCore
import WireProtocol

// The newest status reports that devices sent to this gateway (specification §5.5). The gateway rewrites one file every
// few seconds while reports arrive, and `device list` prints it. Nothing else uses the file except a restarted gateway,
// which restores the reports from it.

/// The file `reports.json` in a gateway's home.
package struct ReportsFile: Sendable {
    static let bytesMax = 16 << 20

    package let path: String

    /// The newest report of each device; empty if the file is missing, unreadable or of another version.
    package func read() -> [DeviceReport] {
        // try?: reports only inform people. An unreadable file must not stop a gateway or a command.
        guard let bytes = try? BoundedFile.read(path, bytesMax: Self.bytesMax, access: .ownerWrites),
            let file = try? JSONDecoder().decode(ReportFile.self, from: Data(bytes)),  // try?: as for the file.
            file.version == ReportFile.currentVersion
        else { return [] }
        return file.reports.map(\.report)
    }

    /// Replaces the file atomically.
    package func write(_ reports: [DeviceReport]) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let bytes = try encoder.encode(ReportFile(reports: reports.map(ReportFile.Entry.init)))
        try AtomicFile.write(Array(bytes), to: path, mode: .ownerOnly)
    }

    /// The newest reports as comment lines, sorted by device name.
    func lines(at now: Date) -> String {
        read().sorted { $0.device < $1.device }.map { "# \($0.line(at: now))\n" }.joined()
    }
}

private struct ReportFile: Codable {
    static let currentVersion = 1

    struct Entry: Codable {
        var device: String
        var arrivedMilliseconds: Int64
        var state: UInt8
        var pendingItems: UInt32
        var pendingBytes: UInt64
        var oldestSeconds: UInt32
        var quarantinedItems: UInt32
        /// Free bytes on the device's disk; absent if the device did not report the number.
        var freeBytes: UInt64?
        var reason: String

        init(_ kept: DeviceReport) {
            let report = kept.report
            self.device = kept.device
            self.arrivedMilliseconds = kept.arrivedMilliseconds
            self.state = report.status.rawValue
            self.pendingItems = report.pendingItems
            self.pendingBytes = report.pendingBytes
            self.oldestSeconds = report.oldestSeconds
            self.quarantinedItems = report.quarantinedItems
            self.freeBytes = report.freeBytes
            self.reason = report.reason
        }

        var report: DeviceReport {
            DeviceReport(
                device: device, arrivedMilliseconds: arrivedMilliseconds,
                report: StatusReport(
                    status: AgentStatus(rawValue: state), pendingItems: pendingItems, pendingBytes: pendingBytes,
                    oldestSeconds: oldestSeconds, quarantinedItems: quarantinedItems, freeBytes: freeBytes,
                    reason: reason))
        }
    }

    var version = currentVersion
    var reports: [Entry]
}

extension DeviceReport {
    /// One line for an operator. Control characters in the device's text are made visible, so that the text can neither
    /// start a new line nor control the terminal.
    ///
    /// - Parameter now: current time of the clock that set `arrivedMilliseconds`.
    func line(at now: Date) -> String {
        let nowMilliseconds = Int64((now.timeIntervalSince1970 * 1_000).rounded())
        let (age, overflow) = nowMilliseconds.subtractingReportingOverflow(arrivedMilliseconds)
        // A clock that was set back leads to a negative age, shown as 0s.
        let told = overflow || age < 0 ? "0s" : Self.text(seconds: UInt64(age) / 1_000)
        var fields = [
            "\(device.withVisibleControls) reported \(told) ago: \(report.status.word)",
            "\(report.pendingItems) files pending (\(report.pendingBytes) B)",
        ]
        if report.oldestSeconds > 0 {
            fields.append("the oldest for \(Self.text(seconds: UInt64(report.oldestSeconds)))")
        }
        fields.append("\(report.quarantinedItems) quarantined")
        fields.append(report.freeBytes.map { "\($0) B of disk free" } ?? "free disk not known")
        let reason = report.reason.isEmpty ? "" : "; \(report.reason.withVisibleControls)"
        return fields.joined(separator: ", ") + reason
    }

    private static func text(seconds: UInt64) -> String {
        switch seconds {
        case ..<120: "\(seconds)s"
        case ..<7_200: "\(seconds / 60)min"
        case ..<172_800: "\(seconds / 3_600)h"
        default: "\(seconds / 86_400)d"
        }
    }
}

extension AgentStatus {
    fileprivate var word: String {
        switch self {
        case .idle: "idle"
        case .sending: "sending"
        case .waiting: "waiting"
        case .paused: "paused"
        case .needsPerson: "needs a person"
        default: "in a state that this gateway does not know (\(rawValue))"
        }
    }
}
