import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Which keys of a gateway an agent pins, and when (specification §5.1).
@Suite struct SitePinsTests {
    private static func key(_ number: UInt8) -> SHA256Digest { ToyDigest.sha256([number]) }
    private static func keys(_ numbers: ClosedRange<UInt8>) -> [SHA256Digest] { numbers.map { key($0) } }

    // MARK: The list

    @Test func aNewKeyStandsLast() {
        var pins = SitePins(durable: Self.keys(1...2))
        #expect(pins.add(Self.key(3), whileProved: Self.key(1)) == Self.keys(1...3))
        #expect(pins.durable == Self.keys(1...2))
        #expect(pins.written(true) == nil)
        #expect(pins.durable == Self.keys(1...3))
    }

    @Test func aPinnedKeyIsNotWrittenAgain() {
        var pins = SitePins(durable: Self.keys(1...2))
        #expect(pins.add(Self.key(2), whileProved: Self.key(1)) == nil)
        #expect(pins.add(Self.key(3), whileProved: Self.key(1)) != nil)
        #expect(pins.add(Self.key(3), whileProved: Self.key(1)) == nil)
        #expect(pins.written(true) == nil)
    }

    @Test func oldestPinIsRemoved() {
        var pins = SitePins(durable: Self.keys(1...8))
        #expect(pins.add(Self.key(9), whileProved: Self.key(8)) == Self.keys(2...9))
    }

    /// The list is full. When the agent adds a key, it never removes the key that the gateway proves; otherwise eight
    /// announced keys that no gateway ever uses would lock the agent out.
    @Test func provedKeyIsNeverRemoved() {
        var pins = SitePins(durable: Self.keys(1...8))
        #expect(pins.add(Self.key(9), whileProved: Self.key(1)) == [Self.key(1)] + Self.keys(3...9))
    }

    @Test func oneListIsWrittenAtATime() {
        var pins = SitePins(durable: [Self.key(1)])
        #expect(pins.add(Self.key(2), whileProved: Self.key(2)) == Self.keys(1...2))
        #expect(pins.add(Self.key(3), whileProved: Self.key(2)) == nil)
        #expect(pins.written(true) == Self.keys(1...3))
        #expect(pins.written(true) == nil)
        #expect(pins.durable == Self.keys(1...3))
    }

    @Test func aListThatCouldNotBeWrittenChangesNothing() {
        var pins = SitePins(durable: [Self.key(1)])
        #expect(pins.add(Self.key(2), whileProved: nil) != nil)
        #expect(pins.written(false) == nil)
        #expect(pins.durable == [Self.key(1)])
        #expect(pins.add(Self.key(2), whileProved: nil) == Self.keys(1...2))
    }

    @Test func emptyPinsStayEmpty() {
        var pins = SitePins(durable: [])
        #expect(pins.add(Self.key(1), whileProved: Self.key(1)) == nil)
    }

    // MARK: The agent's machine

    private static func welcome(capabilities: Capabilities = [], next: SHA256Digest?) -> Welcome {
        Welcome(
            version: 1, capabilities: capabilities, slotsMax: 8, chunkBytesMax: 256, initialCreditBytes: 500,
            partBytesMin: 16, partBytesMax: 100_000, partBytesDefault: 1_000, partsMax: 10_000, objectBytesMax: 1 << 40,
            putLimitMilliseconds: 30_000, idleLimitMilliseconds: 60_000, serverTime: 0, software: "g",
            deviceName: "device-1", prefix: "site/", storeIdentity: .zero, nextSiteKey: next)
    }

    /// Connects to a gateway that proves `key`. After an earlier connection, first lets the agent's back-off pass.
    ///
    /// - Returns: the keys that HELLO named, and the key lists that the machine asked the shell to keep afterwards.
    private func connect(
        _ driver: inout AgentDriver, proving key: SHA256Digest?
    ) throws -> (named: [SHA256Digest], kept: [[SHA256Digest]]) {
        if driver.connections.isEmpty {
            driver.now = driver.now + .seconds(20)
            driver.change { $0.tick(now: $1) }
        }
        let id = try #require(driver.connections.last)
        let actions = driver.change { $0.connected(id, by: key.map { GatewayProof(fingerprint: $0) }, now: $1) }
        let hellos = actions.compactMap { action -> Hello? in
            if case .send(_, _, .hello(let hello)) = action { hello } else { nil }
        }
        return (try #require(hellos.first).pins, kept(actions))
    }

    private func kept(_ actions: [AgentAction]) -> [[SHA256Digest]] {
        actions.compactMap { if case .keepPins(let pins) = $0 { pins } else { nil } }
    }

    private func told(_ next: SHA256Digest?, _ driver: inout AgentDriver) throws -> [[SHA256Digest]] {
        let id = try #require(driver.connections.last)
        return kept(
            driver.change {
                $0.receivedFrame(.welcome(Self.welcome(next: next)), slot: .connection, from: id, now: $1)
            })
    }

    private func lose(_ driver: inout AgentDriver) throws {
        let id = try #require(driver.connections.last)
        _ = driver.connectionLost()
        #expect(!driver.connections.contains(id))
    }

    /// HELLO names a key only after the agent has saved it durably. Operators replace the old key of a gateway when all
    /// agents name the new one.
    @Test(arguments: [true, false]) func announcedKeyIsNamedOnceDurable(isDurable: Bool) throws {
        var driver = AgentDriver(pins: [Self.key(1)])
        driver.submit(size: 2_500)
        let first = try connect(&driver, proving: Self.key(1))
        #expect(first.named == [Self.key(1)])
        #expect(first.kept == [])
        #expect(try told(Self.key(2), &driver) == [Self.keys(1...2)])
        try lose(&driver)
        #expect(try connect(&driver, proving: Self.key(1)).named == [Self.key(1)])
        driver.change { $0.pinsKept(isDurable, now: $1) }
        try lose(&driver)
        let expected = isDurable ? Self.keys(1...2) : [Self.key(1)]
        #expect(try connect(&driver, proving: Self.key(1)).named == expected)
        // If the agent could not save a key, it tries again when the gateway announces the key the next time.
        #expect(try told(Self.key(2), &driver) == (isDurable ? [] : [Self.keys(1...2)]))
    }

    /// The gateway proves a key that is not pinned. The agent accepts it because of the certificates that the gateway
    /// sends behind its own, and pins the new key.
    @Test func keyProvedByAChainIsPinned() throws {
        var driver = AgentDriver(pins: [Self.key(1)])
        driver.submit(size: 2_500)
        let hello = try connect(&driver, proving: Self.key(2))
        #expect(hello.named == [Self.key(1)])
        #expect(hello.kept == [Self.keys(1...2)])
    }

    /// An agent that trusts a certificate authority keeps no pins and ignores announcements. So does an agent on plain
    /// TCP, where a gateway proves no key.
    @Test(arguments: [nil, key(1)]) func agentWithoutPinsIgnoresAnnouncements(proved: SHA256Digest?) throws {
        var driver = AgentDriver()
        driver.submit(size: 2_500)
        let hello = try connect(&driver, proving: proved)
        #expect(hello.named == [] && hello.kept == [])
        #expect(try told(Self.key(2), &driver) == [])
    }

    // MARK: Capabilities

    /// Agent and gateway agree on capabilities anew for each connection, because the next connection may lead to
    /// another gateway (§7.3).
    @Test(arguments: [Capabilities.lz4, []], [Capabilities.lz4, []])
    func capabilitiesAreAgreedByBothSides(ours: Capabilities, theirs: Capabilities) throws {
        var driver = AgentDriver(capabilities: ours)
        driver.submit(size: 2_500)
        _ = try connect(&driver, proving: nil)
        let id = try #require(driver.connections.last)
        #expect(driver.machine.agreedCapabilities(on: id) == [])
        let welcome = Frame.welcome(Self.welcome(capabilities: theirs, next: nil))
        driver.change { $0.receivedFrame(welcome, slot: .connection, from: id, now: $1) }
        #expect(driver.machine.agreedCapabilities(on: id) == (ours == .lz4 && theirs == .lz4 ? .lz4 : []))
        try lose(&driver)
        #expect(driver.machine.agreedCapabilities(on: id) == [])
    }

    // MARK: The gateway's machine

    @Test func welcomeNamesTheAnnouncedKey() {
        var driver = GatewayDriver()
        for next in [nil, Self.key(2), nil] {
            driver.machine.handle(.nextSiteKeyChanged(next), now: driver.now)
            let id = driver.newConnection()
            let welcomes = frames(driver.connect(id), to: id).compactMap { frame -> Welcome? in
                if case .welcome(let welcome) = frame { welcome } else { nil }
            }
            #expect(welcomes.map(\.nextSiteKey) == [next])
        }
    }

    /// The gateway gets a new key of its own. What it has announced on existing connections is then out of date, so the
    /// gateway ends all connections, also those that have not sent HELLO.
    @Test func newSiteKeyEndsConnections() {
        var driver = GatewayDriver()
        driver.connect()
        let silent = driver.newConnection()
        driver.machine.accepted(silent, now: driver.now)
        let actions = driver.change { $0.siteKeyChanged(now: $1) }
        for id in [GatewayDriver.connection, silent] {
            let reports = frames(actions, to: id).compactMap { frame -> ErrorReport? in
                if case .error(let report) = frame { report } else { nil }
            }
            #expect(reports.map(\.code) == [.draining])
            #expect(reports.allSatisfy { !$0.message.isEmpty })
            #expect(actions.contains(.close(id)))
        }
        #expect(driver.machine.connectionCount == 0)
        let again = driver.newConnection()
        #expect(frames(driver.connect(again), to: again).contains { $0.type == .welcome })
    }
}
