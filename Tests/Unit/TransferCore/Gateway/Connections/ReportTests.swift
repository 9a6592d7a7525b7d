import Testing
import TransferCore
import TransferCoreSupport
import WireProtocol

/// The gateway keeps the newest REPORT of each device (specification §5.5).
@Suite struct ReportTests {
    @Test func newestReportSurvivesTheConnection() throws {
        var driver = GatewayDriver()
        driver.connect()
        #expect(driver.changedReports() == nil)
        #expect(driver.report("first", at: 5).isEmpty, "there is no answer")
        driver.change { $0.connectionLost(GatewayDriver.connection, now: $1) }
        let changed = driver.machine.takeChangedReports()
        let kept = try #require(changed)
        #expect(kept.map(\.device) == ["device-1"])
        #expect(kept.map(\.report.reason) == ["first"] && kept.map(\.arrivedMilliseconds) == [5])
        #expect(driver.changedReports() == nil, "nothing has changed since")
    }

    @Test func earlyReportIsSkipped() throws {
        var driver = GatewayDriver()
        driver.connect()
        driver.report("first")
        driver.tick(after: .milliseconds(9_999))
        driver.report("sooner")
        #expect(driver.changedReports()?.map(\.report.reason) == ["first"])
        driver.tick(after: .milliseconds(1))
        // A REPORT on another connection replaces the older one, also if the wall clock was set back.
        let other = driver.newConnection()
        driver.connect(other)
        driver.report("second", at: -1_000, from: other)
        #expect(driver.changedReports()?.map(\.report.reason) == ["second"])
        driver.report("third")
        #expect(driver.changedReports() == nil, "all connections of a device count together")
    }

    @Test func oldestReportIsRemoved() throws {
        var driver = GatewayDriver { $0.reportsMax = 2 }
        let devices = (0..<3).map { number in
            AuthorisedDevice(name: "d\(number)", fingerprint: ToyDigest.sha256([9, UInt8(number)]), prefix: "")
        }
        driver.machine.devicesChanged(devices, now: driver.now)
        for (number, device) in devices.enumerated() {
            let id = driver.newConnection()
            driver.connect(id, of: device)
            driver.report("r\(number)", at: Int64(number), from: id)
        }
        #expect(driver.changedReports()?.map(\.device) == ["d2", "d1"])
    }

    @Test func savedReportsAreKept() throws {
        var driver = GatewayDriver()
        let restored = DeviceReport(device: "device-9", arrivedMilliseconds: 3, report: GatewayDriver.report("old"))
        driver.machine.handle(.reportsRestored([restored]), now: driver.now)
        #expect(driver.changedReports() == nil)
        driver.connect()
        driver.report("new", at: 7)
        #expect(driver.changedReports()?.map(\.device) == ["device-1", "device-9"])
    }
}

extension GatewayDriver {
    fileprivate static func report(_ reason: String) -> StatusReport {
        StatusReport(
            status: .sending, pendingItems: 3, pendingBytes: 40, oldestSeconds: 12, quarantinedItems: 0,
            freeBytes: 1 << 30, reason: reason)
    }

    @discardableResult
    fileprivate mutating func report(
        _ reason: String, at wallMilliseconds: Int64 = 0, from id: ConnectionID = connection
    ) -> [GatewayAction] {
        machine.receivedFrame(
            .report(Self.report(reason)), slot: .connection, from: id, now: now, wallMilliseconds: wallMilliseconds)
        return machine.takeActions()
    }

    fileprivate mutating func changedReports() -> [DeviceReport]? { machine.takeChangedReports() }
}
