package import TransferCommon

// Devices that no list names: an authority vouches for them, and they are remembered while they are connected.

extension Gateway {
    /// A device is about to say HELLO, or has connected once more. What is known of it replaces what was.
    package mutating func deviceVouchedFor(_ device: AuthorisedDevice) {
        context.devices[device.fingerprint] = device
    }

    /// The last connection of a device that was vouched for is gone.
    package mutating func deviceLeft(_ fingerprint: SHA256Digest) {
        context.devices[fingerprint] = nil
        // No connection is left that an older run could use.
        currentRuns[fingerprint] = nil
    }
}
