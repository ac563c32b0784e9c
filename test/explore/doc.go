// Package explore checks the protocol of the pipeline itself: the real stages, on
// stores, queues and a chat that live in memory, with every call to the outside
// held at a gate until a scheduler lets it go, fail, fail and yet take effect, or
// die with its process.
//
// A history is a list of the scheduler's choices. Its oracle knows what every
// person must end up seeing. All histories that leave the default schedule at a
// bounded number of places are run one after the other; beyond that, random ones
// are drawn from seeds that are printed and can be given again. A history that
// fails is made as short as it can be before it is shown.
//
//	go test ./test/explore                              the small space
//	go test ./test/explore -explore.deviations 2        all pairs of deviations
//	go test ./test/explore -explore.random 10000        random histories
//	go test ./test/explore -run Random -explore.seed 7  one history again
package explore
