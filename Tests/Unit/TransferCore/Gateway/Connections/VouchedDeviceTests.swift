import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Devices that no list names, and devices whose key changes.
@Suite struct VouchedDeviceTests {
    private static let renewed = AuthorisedDevice(
        name: GatewayDriver.device.name, fingerprint: ToyDigest.sha256([8]), prefix: GatewayDriver.device.prefix)
    private static let unlisted = AuthorisedDevice(
        name: "unlisted", fingerprint: ToyDigest.sha256([9]), prefix: GatewayDriver.device.prefix)

    private func hello(_ device: AuthorisedDevice) -> Frame {
        Frame.hello(
            Hello(
                versionMin: 1, versionMax: 1, capabilities: [], fingerprint: device.fingerprint,
                run: RunID(high: 7, low: 7), software: "a"))
    }

    private func connect(_ device: AuthorisedDevice, _ driver: inout GatewayDriver) -> (ConnectionID, [Frame]) {
        let id = driver.newConnection()
        driver.change { $0.accepted(id, now: $1) }
        return (id, frames(driver.frame(hello(device), slot: .connection, from: id), to: id))
    }

    private func isWelcome(_ frames: [Frame]) -> Bool {
        frames.contains { if case .welcome = $0 { true } else { false } }
    }

    @Test func certifiedDeviceIsWelcomeUntilItLeaves() {
        var driver = GatewayDriver()
        #expect(!isWelcome(connect(Self.unlisted, &driver).1))
        driver.change { $0.handle(.deviceVouchedFor(Self.unlisted), now: $1) }
        #expect(isWelcome(connect(Self.unlisted, &driver).1))
        driver.change { $0.handle(.deviceLeft(Self.unlisted.fingerprint), now: $1) }
        #expect(!isWelcome(connect(Self.unlisted, &driver).1))
    }

    @Test func removedDeviceLosesItsConnections() {
        var driver = GatewayDriver()
        driver.change { $0.handle(.deviceVouchedFor(Self.unlisted), now: $1) }
        let (id, _) = connect(Self.unlisted, &driver)
        let kept = driver.change { $0.devicesChanged([GatewayDriver.device, Self.unlisted], now: $1) }
        #expect(frames(kept, to: id).isEmpty)
        let ended = driver.change { $0.devicesChanged([GatewayDriver.device], now: $1) }
        #expect(ended.contains(.close(id)))
    }

    /// The gateway assigns sessions to the name of a device, in memory and in tokens, so a device with a new key keeps
    /// its sessions.
    @Test func sessionBelongsToItsDeviceName() throws {
        var driver = GatewayDriver()
        driver.connect()
        driver.frame(.sessionOpen(GatewayDriver.open(size: 2_500)))
        for answer in [.object(nil), .records([]), .done, .uploadCreated(upload: "upload-1"), .done] as [StoreAnswer] {
            driver.answer(answer)
        }
        let query = Frame.resumeQuery(ResumeQuery(listedParts: 0, token: try #require(driver.tokens.first)))
        driver.change { $0.devicesChanged([Self.renewed, Self.unlisted], now: $1) }
        #expect(driver.machine.sessionCount == 1)
        let (foreign, _) = connect(Self.unlisted, &driver)
        let refused = frames(driver.frame(query, from: foreign), to: foreign)
        let codes = refused.map { frame -> ErrorCode? in
            if case .sessionRefused(let refused) = frame { refused.code } else { nil }
        }
        #expect(codes == [.tokenForeign])
        let (own, _) = connect(Self.renewed, &driver)
        let resumed = frames(driver.frame(query, from: own), to: own)
        #expect(!resumed.contains { if case .sessionRefused = $0 { true } else { false } }, "\(resumed)")
        #expect(driver.machine.sessionCount == 1)
    }
    /// The operator changes a device's line in the device list while the device has a session. The session follows the
    /// change: COMPLETED names the object's key below the new prefix, and no memory stays reserved for the device's
    /// earlier fingerprint.
    @Test(arguments: [true, false])
    func sessionFollowsTheLineOfItsDevice(hasNewKey: Bool) throws {
        var changed = hasNewKey ? Self.renewed : GatewayDriver.device
        changed.prefix = ""
        var driver = GatewayDriver()
        driver.connect()
        driver.openParts(size: 2_500)
        driver.frame(.partOffer(try #require(GatewayDriver.offer(1, of: 2_500))))
        driver.data(bytes: 200)
        let token = try #require(driver.tokens.last)
        driver.change { $0.devicesChanged([changed], now: $1) }
        let (id, _) = connect(changed, &driver)
        driver.frame(.resumeQuery(ResumeQuery(listedParts: 0, token: token)), from: id)
        let old = driver.machine.use(of: GatewayDriver.device.fingerprint)
        #expect(!hasNewKey || (old.sessions == 0 && old.bytesReserved == 0))
        #expect(driver.machine.use(of: changed.fingerprint).sessions == 1)
        let entries = GatewayDriver.entries(of: 2_500)
        for page in PartList.pages(of: entries) { driver.frame(.partList(page), from: id) }
        driver.frame(.complete(GatewayDriver.complete(2_500)), from: id)
        var told: [Frame] = []
        for _ in 1...6 {
            let answer: StoreAnswer =
                switch driver.requests.first?.request.kind {
                case .listParts: .parts(entries)
                case .lookUpObject: .object(nil)
                case .complete: .objectStored(GatewayDriver.storedObject)
                default: .failed(.cancelled)
                }
            told += frames(driver.answer(answer), to: id)
        }
        let locations = told.compactMap { if case .completed(let completed) = $0 { completed.location } else { nil } }
        #expect(locations == ["site/file"])
        driver.comeToRest()
        #expect(driver.machine.bytesReserved == 0 && driver.machine.sessionCount == 0)
    }
}
