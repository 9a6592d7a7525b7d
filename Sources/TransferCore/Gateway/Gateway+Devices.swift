import TransferCommon

// Devices that no list names: an authority vouches for them, and they are remembered while they are connected.

extension Gateway {
    mutating func deviceVouchedFor(_ device: AuthorisedDevice) {
        context.devices[device.fingerprint] = device
    }

    mutating func deviceLeft(_ fingerprint: SHA256Digest) {
        context.devices[fingerprint] = nil
        // No connection is left that an older run could use.
        currentRuns[fingerprint] = nil
    }
}
