/// The limits of `StoreBreaker`.
package struct StoreBreakerLimits: Hashable, Sendable {
    /// How many lost calls in a row open the breaker. The S3 client has already repeated what may be repeated.
    package var lostMax = 3
    /// How many refusals in a row open the breaker: if all concern one device, and if they concern several devices.
    package var refusalsMax = 3
    package var refusalsMaxOfSeveral = 2
    /// The first wait. Each failed trial doubles it, up to the longest.
    package var waitFirst = Duration.seconds(1)
    /// The first wait for a full store. It is longer than `waitFirst`, because a full store rarely has space again
    /// within a second, and because it may accept most of a part's bytes before it refuses the part.
    package var waitFirstWhereFull = Duration.seconds(5)
    package var waitLongest = Duration.seconds(30)
    /// After this time without a result, a trial no longer prevents other parts from being tried.
    package var trialPatience = Duration.seconds(30)
    /// The most parts at once while the breaker is rising; at this number, the next stored part closes it.
    package var partsMaxRising = 8
    /// How long an agent is advised to wait while all parts that are allowed are on their way.
    package var risingAdvice = Duration.milliseconds(200)
    /// First bytes of a part while there is evidence against the store: a trial of a dead store costs no more.
    package var cautiousBytes: UInt64 = 64 << 10
    /// If agents are deferred together, the wait of each agent is longer by `spread` than the wait of the agent before
    /// it. After `spreadCountMax` agents, the wait grows no further.
    package var spread = Duration.milliseconds(20)
    package var spreadCountMax = 100

    package init() {}

    func waitFirst(_ cause: StoreBreaker.Cause) -> Duration { cause == .full ? waitFirstWhereFull : waitFirst }
}
