import TransferCommon

// Devices that no list names: an authority vouches for them, and they are remembered while they are connected.

/// The newest run of a device.
struct CurrentRun: Hashable {
    var run: RunID
    /// The first connection on which the run said HELLO.
    var first: ConnectionID
}

extension Gateway {
    mutating func deviceVouchedFor(_ device: AuthorisedDevice) {
        context.devices[device.fingerprint] = device
    }

    mutating func deviceLeft(_ fingerprint: SHA256Digest) {
        context.devices[fingerprint] = nil
        // No connection is left that an older run could use.
        currentRuns[fingerprint] = nil
    }

    /// Called for each HELLO that is not fenced.
    mutating func keepRun(_ run: RunID, of device: AuthorisedDevice, on id: ConnectionID) {
        guard currentRuns[device.fingerprint]?.run != run else { return }
        currentRuns[device.fingerprint] = CurrentRun(run: run, first: id)
    }
}
