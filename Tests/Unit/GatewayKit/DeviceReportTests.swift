import Cryptography
import Foundation
import GatewayKit
import SecureChannel
import TestSupport
import Testing
import TransferCore
import WireProtocol

/// Tests of the device reports that a gateway keeps and shows to an operator.
@Suite struct DeviceReportTests {
    private static func report(
        _ device: String = "cam", arrived: Date = Date(), status: AgentStatus = .waiting, freeBytes: UInt64? = 5 << 30,
        reason: String = ""
    ) -> DeviceReport {
        DeviceReport(
            device: device, arrivedMilliseconds: Int64(arrived.timeIntervalSince1970 * 1_000),
            report: StatusReport(
                status: status, pendingItems: 3, pendingBytes: 4_000, oldestSeconds: 3_600, quarantinedItems: 1,
                freeBytes: freeBytes, reason: reason))
    }

    private func withHome(_ body: (GatewayHome) throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let home = GatewayHome(path: directory.appending(path: "home").path(percentEncoded: false))
            _ = try home.create(name: "gate")
            try body(home)
        }
    }

    @Test func roundTrips() async throws {
        try await withHome { home in
            #expect(home.reports.read() == [])
            let reports = [
                Self.report("a", reason: "a\u{1B}[2J"),
                Self.report("b", status: AgentStatus(rawValue: 9), freeBytes: nil),
            ]
            try home.reports.write(reports)
            #expect(home.reports.read() == reports)
            let attributes = try FileManager.default.attributesOfItem(atPath: home.reports.path)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
        }
    }

    @Test func deviceListShowsThem() async throws {
        try await withHome { home in
            try home.addDevice(name: "cam", fingerprint: home.identity().fingerprint, prefix: "cam/")
            let reason = "no \u{1B}[31mlink\n# x"
            try home.reports.write([Self.report(arrived: Date(timeIntervalSinceNow: -300), reason: reason)])
            let lines = try home.deviceLines().split(separator: "\n").map(String.init)
            let line = try #require(lines.first { $0.contains("reported") })
            #expect(
                line == "# cam reported 5min ago: waiting, 3 files pending (4000 B), the oldest for 60min, "
                    + "1 quarantined, 5368709120 B of disk free; no \\u{1b}[31mlink\\u{a}# x")
            #expect(lines.contains { $0.hasPrefix("cam  sha256:") })
        }
    }

    @Test(arguments: ["", "{", "[]", #"{"version":2,"reports":[]}"#, "\u{0}"])
    func unreadableFileIsIgnored(text: String) async throws {
        try await withHome { home in
            try text.write(toFile: home.reports.path, atomically: true, encoding: .utf8)
            #expect(home.reports.read() == [])
            #expect(try !home.deviceLines().contains("reported"))
        }
    }

    /// The time at which a report arrived may come from a clock that was set back, or from one that was never set.
    @Test(arguments: [Int64.min, .max, 0])
    func anyTimeOfArrivalIsShown(milliseconds: Int64) async throws {
        try await withHome { home in
            var report = Self.report()
            report.arrivedMilliseconds = milliseconds
            try home.reports.write([report])
            #expect(try home.deviceLines().contains("cam reported "))
        }
    }
}
