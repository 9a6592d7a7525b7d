import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// How the gateway's machine enrols a device that no list names (specification §5.2).
@Suite
struct EnrolmentTests {
    private static let unlistedKey = SHA256Digest(bytes: [UInt8](repeating: 9, count: 32))
    private static let secret = InvitationSecret(high: 1, low: 2)

    private func enrol(_ driver: inout GatewayDriver, key: SHA256Digest? = unlistedKey) throws -> [GatewayAction] {
        driver.machine.accepted(GatewayDriver.connection, now: driver.now)
        let enrol = Enrol(fingerprint: try #require(key), secret: Self.secret, software: "a")
        return driver.frame(.enrol(enrol), slot: .connection)
    }

    private func answer(_ driver: inout GatewayDriver, _ outcome: EnrolmentOutcome) -> [GatewayAction] {
        driver.machine.enrolled(outcome, on: GatewayDriver.connection, now: driver.now)
        return driver.machine.takeActions()
    }

    private func code(_ actions: [GatewayAction]) -> ErrorCode? {
        for case .send(_, _, .error(let report)) in actions { return report.code }
        return nil
    }

    @Test func invitationRegistersTheDevice() throws {
        var driver = GatewayDriver()
        let asked = try enrol(&driver)
        let unlistedKey = try #require(Self.unlistedKey)
        #expect(asked == [.enrol(GatewayDriver.connection, fingerprint: unlistedKey, Self.secret)])
        let device = AuthorisedDevice(name: "cam", fingerprint: unlistedKey, prefix: "cam/")
        let answered = answer(&driver, .registered(device))
        let id = GatewayDriver.connection
        #expect(
            answered == [
                .send(id, .connection, .enrolled(Enrolled(name: "cam", prefix: "cam/"))),
                .close(id),
            ])
        #expect(driver.machine.connectionCount == 0)
    }

    @Test func aSecretOfNoInvitationIsRefused() throws {
        var driver = GatewayDriver()
        _ = try enrol(&driver)
        #expect(code(answer(&driver, .invalid)) == .invitationInvalid)
        #expect(driver.machine.connectionCount == 0)
    }

    @Test func failedLookUpDoesNotRefuseTheInvitation() throws {
        var driver = GatewayDriver()
        _ = try enrol(&driver)
        #expect(code(answer(&driver, .unavailable)) == .internal)
    }

    /// ENROLLED was lost with the connection, so the device presents the same invitation again. The invitation is used
    /// up, but the list now names the device. So the gateway answers ENROLLED at once.
    @Test func aDeviceOnTheListNeedsNoInvitation() throws {
        var driver = GatewayDriver()
        let actions = try enrol(&driver, key: GatewayDriver.device.fingerprint)
        guard case .send(_, _, .enrolled(let enrolled)) = actions.first else {
            Issue.record("\(actions)")
            return
        }
        #expect(enrolled.name == GatewayDriver.device.name)
    }

    @Test func noOtherFrameDuringEnrolment() throws {
        let frames: [Frame] = [
            .hello(GatewayDriver.hello()), .ping(Ping(nonce: 1)),
            .enrol(Enrol(fingerprint: try #require(Self.unlistedKey), secret: Self.secret, software: "")),
        ]
        for frame in frames {
            var driver = GatewayDriver()
            _ = try enrol(&driver)
            #expect(code(driver.frame(frame, slot: .connection)) == .unexpectedFrame)
            #expect(
                answer(&driver, .registered(GatewayDriver.device)) == [],
                "an answer that comes after the end says nothing")
        }
    }

    @Test func unansweredEnrolmentEndsTheConnection() throws {
        var driver = GatewayDriver()
        _ = try enrol(&driver)
        #expect(code(driver.tick(after: driver.machine.limits.helloLimit)) == .idle)
    }

    @Test func aWelcomedDeviceCannotEnrol() {
        var driver = GatewayDriver()
        driver.connect()
        let enrol = Enrol(fingerprint: GatewayDriver.device.fingerprint, secret: Self.secret, software: "")
        #expect(code(driver.frame(.enrol(enrol), slot: .connection)) == .unexpectedFrame)
    }
}
