package import TransferCommon

/// The devices that may use the site, with the connections, the run and the rates of each (specification §5, §5.3).
///
/// - Only one run of a device is current. The run that has connected last fences the others, and does not wait for
///   them. The order in which the gateway accepted the connections decides which run is the newest; no clock is used.
/// - A HELLO may arrive late. It fences nothing if its connection was accepted before the first connection of the
///   current run.
/// - Rates outlive the connections of a device, so that a device gains nothing by connecting again.
package struct DeviceTable: Hashable, Sendable {
    /// How a HELLO changes which run of its device is current.
    package enum OnHello: Hashable, Sendable {
        /// The run is the current one, or the device has no current run.
        case current
        /// The run fences these connections of older runs.
        case fences([ConnectionID])
        /// A newer run has connected, so this run is fenced.
        case fenced
    }

    private struct Run: Hashable {
        var id: RunID
        /// The first connection on which the run said HELLO.
        var first: ConnectionID
    }

    private var devices: [SHA256Digest: AuthorisedDevice] = [:]
    private var connections: [SHA256Digest: Set<ConnectionID>] = [:]
    private var runs: [SHA256Digest: Run] = [:]
    private var paces: [SHA256Digest: DevicePace] = [:]
    /// When the table keeps this many rates, it searches for unused ones and forgets them. The number is twice that of
    /// the rates in use, so that the search is rare.
    private var pacesToForgetAt = 64
    /// The number of open connections of all devices.
    package private(set) var openCount = 0

    /// A table without devices.
    package init() {}

    /// The device with this fingerprint; `nil` if it may not use the site.
    package subscript(fingerprint: SHA256Digest) -> AuthorisedDevice? { devices[fingerprint] }

    // MARK: Devices

    /// Takes the device list that the shell has read. Connections of devices that are no longer on it stay until the
    /// gateway ends them.
    package mutating func replace(by list: [AuthorisedDevice], now: Instant) {
        devices = [:]
        for device in list { devices[device.fingerprint] = device }
        runs = runs.filter { devices[$0.key] != nil }
        forgetUnusedPaces(now: now)
    }

    /// Adds a device that a certificate authority vouches for.
    package mutating func add(_ device: AuthorisedDevice) {
        devices[device.fingerprint] = device
    }

    /// Removes a device that a certificate authority vouched for, after its last connection has ended.
    package mutating func remove(_ fingerprint: SHA256Digest) {
        devices[fingerprint] = nil
        // No older run has a connection left, so no run need be remembered as the current one.
        runs[fingerprint] = nil
    }

    // MARK: Connections and runs

    /// How many connections of a device are open.
    package func connectionCount(of fingerprint: SHA256Digest) -> Int { connections[fingerprint]?.count ?? 0 }

    /// Judges HELLO of a run on a connection.
    package func judge(_ run: RunID, on id: ConnectionID, of fingerprint: SHA256Digest) -> OnHello {
        guard let current = runs[fingerprint], current.id != run else { return .current }
        guard id > current.first else { return .fenced }
        return .fences((connections[fingerprint] ?? []).sorted())
    }

    /// Makes the run the current one. The gateway calls this even if it is stopping and refuses the connection, so that
    /// the older run is fenced and its late frames are ignored.
    package mutating func keep(_ run: RunID, on id: ConnectionID, of fingerprint: SHA256Digest) {
        if runs[fingerprint]?.id != run { runs[fingerprint] = Run(id: run, first: id) }
    }

    /// Adds a connection of the device, which is open now.
    package mutating func opened(_ id: ConnectionID, of fingerprint: SHA256Digest, now: Instant) {
        connections[fingerprint, default: []].insert(id)
        openCount += 1
        if paces.count >= pacesToForgetAt { forgetUnusedPaces(now: now) }
    }

    /// Removes a connection of the device, which has ended.
    package mutating func closed(_ id: ConnectionID, of fingerprint: SHA256Digest) {
        if connections[fingerprint]?.remove(id) != nil { openCount -= 1 }
        if connections[fingerprint]?.isEmpty == true { connections[fingerprint] = nil }
    }

    // MARK: Rates

    /// How many rates the table keeps.
    package var pacesCount: Int { paces.count }

    /// Forgets the rates that their devices have not used. A used rate is kept even if its device leaves the list or
    /// ends its last connection. Otherwise the device could return and use the whole rate at once again.
    private mutating func forgetUnusedPaces(now: Instant) {
        paces = paces.filter { !$0.value.isUnused(now: now) }
        pacesToForgetAt = max(2 * paces.count, 64)
    }

    /// Counts the beginning of a use of a slot: a SESSION OPEN, RESUME QUERY, ABORT or PROVE. Returns how long the
    /// device has to wait; `nil` if it may begin.
    package mutating func countBeginning(
        of fingerprint: SHA256Digest, _ limits: GatewayLimits, now: Instant
    ) -> Duration? {
        paces[fingerprint, default: DevicePace(limits)].beginnings.take(now: now)
    }

    /// Takes back the count of one beginning, because the use of the slot has shown the agent an object.
    package mutating func giveBackBeginning(of fingerprint: SHA256Digest) {
        paces[fingerprint]?.beginnings.giveBack()
    }

    /// Counts one frame; returns how long the shell reads nothing more, or `nil` if it reads on at once.
    package mutating func countFrame(
        of fingerprint: SHA256Digest, _ limits: GatewayLimits, now: Instant
    ) -> Duration? {
        let debt = paces[fingerprint, default: DevicePace(limits)].frames.takeInAdvance(now: now)
        return debt > .zero ? max(debt, limits.framePause) : nil
    }
}

private struct DevicePace: Hashable {
    /// Uses of slots that end without an object.
    var beginnings: Allowance
    var frames: Allowance

    init(_ limits: GatewayLimits) {
        beginnings = Allowance(
            atOnce: limits.fruitlessBeginningsAtOnce, perSecond: limits.fruitlessBeginningsPerSecond)
        frames = Allowance(atOnce: limits.framesAtOnce, perSecond: limits.framesPerSecond)
    }

    func isUnused(now: Instant) -> Bool { beginnings.isFull(now: now) && frames.isFull(now: now) }
}
