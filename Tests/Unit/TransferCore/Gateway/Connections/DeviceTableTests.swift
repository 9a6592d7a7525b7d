import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct DeviceTableTests {
    private static let device = GatewayDriver.device
    private static let fingerprint = device.fingerprint
    private static let now = Instant(nanoseconds: 1_000_000_000)

    private static func run(_ number: UInt64) -> RunID { RunID(high: number, low: number) }

    /// A device table in which run 1 has connections 3 and 5.
    private static func table() -> DeviceTable {
        var table = DeviceTable()
        table.replace(by: [device], now: now)
        for id in [3, 5] as [UInt64] {
            table.keep(run(1), on: ConnectionID(id), of: fingerprint)
            table.opened(ConnectionID(id), of: fingerprint, now: now)
        }
        return table
    }

    @Test func theRunThatConnectsLaterFencesTheOlderOne() {
        let table = Self.table()
        for (run, id, result) in [
            (1, 9, .current), (2, 6, .fences([ConnectionID(3), ConnectionID(5)])), (2, 2, .fenced),
        ] as [(UInt64, UInt64, DeviceTable.OnHello)] {
            #expect(table.judge(Self.run(run), on: ConnectionID(id), of: Self.fingerprint) == result)
        }
    }

    /// A run is newer if its connection was accepted after the *first* connection of the current run. Connection 4 lies
    /// between connections 3 and 5 of run 1, and fences both.
    @Test func theFirstConnectionOfARunCounts() {
        let late = Self.table().judge(Self.run(2), on: ConnectionID(4), of: Self.fingerprint)
        #expect(late == .fences([ConnectionID(3), ConnectionID(5)]))
    }

    @Test func aRunOutlivesItsConnectionsButNotItsDevice() {
        var table = Self.table()
        for id in [3, 5] as [UInt64] { table.closed(ConnectionID(id), of: Self.fingerprint) }
        #expect(table.connectionCount(of: Self.fingerprint) == 0)
        #expect(table.judge(Self.run(2), on: ConnectionID(1), of: Self.fingerprint) == .fenced)
        for removal in [{ $0.replace(by: [], now: Self.now) }, { $0.remove(Self.fingerprint) }]
            as [(inout DeviceTable) -> Void]
        {
            var removed = table
            removal(&removed)
            #expect(removed[Self.fingerprint] == nil)
            #expect(removed.judge(Self.run(2), on: ConnectionID(1), of: Self.fingerprint) == .current)
        }
    }

    @Test func aDeviceWaitsAfterItsBeginningsAtOnce() {
        var limits = GatewayDriver().machine.limits
        limits.fruitlessBeginningsAtOnce = 2
        limits.fruitlessBeginningsPerSecond = 1
        var table = Self.table()
        func count() -> Duration? { table.countBeginning(of: Self.fingerprint, limits, now: Self.now) }
        #expect(count() == nil)
        #expect(count() == nil)
        #expect(count() == .seconds(1))
        table.giveBackBeginning(of: Self.fingerprint)
        #expect(count() == nil)
    }

    @Test func ratesOutliveTheDeviceList() {
        var limits = GatewayDriver().machine.limits
        limits.fruitlessBeginningsAtOnce = 1
        limits.fruitlessBeginningsPerSecond = 1
        var table = Self.table()
        #expect(table.countBeginning(of: Self.fingerprint, limits, now: Self.now) == nil)
        table.replace(by: [], now: Self.now)
        #expect(table.countBeginning(of: Self.fingerprint, limits, now: Self.now) == .seconds(1))
        #expect(table.pacesCount == 1)
        table.replace(by: [], now: Self.now + .seconds(2))
        #expect(table.pacesCount == 0, "nothing of the rate is used any more")
    }

    /// If an authority vouches for devices, any number of them may come and leave. So the table forgets the rates of
    /// devices that have left.
    @Test func unusedRatesAreForgotten() {
        let limits = GatewayDriver().machine.limits
        var table = DeviceTable()
        for number in 0..<5_000 as Range<UInt64> {
            let device = ToyDigest.sha256([UInt8(number & 255), UInt8(number >> 8)])
            let now = Self.now + .seconds(Int(number))
            table.add(AuthorisedDevice(name: "d\(number)", fingerprint: device, prefix: "d/"))
            table.opened(ConnectionID(number), of: device, now: now)
            #expect(table.countFrame(of: device, limits, now: now) == nil)
            table.closed(ConnectionID(number), of: device)
            table.remove(device)
        }
        #expect(table.pacesCount <= 64 && table.openCount == 0)
    }
}
